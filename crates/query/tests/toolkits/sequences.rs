//! Counters: no number twice, whoever asks.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Value as Json, json};
use store::Value;
use testkit::{Backend, on_all_databases};

use crate::{
    terms::{Terms, generated, numbers, with_generated},
    world::{TICKETS, World, ask, group, user_of},
};

on_all_databases!(no_number_is_given_twice, a_counter_never_goes_back, counters_may_lie_in_another_database);

fn terms(start: u64) -> Terms {
    Terms::default().table("tickets", with_generated(vec![generated("seat", numbers("", 1, start))]))
}

fn insert(title: &str) -> Json {
    json!({"action": "insert", "table": "tickets", "data": {"title": title}})
}

async fn no_number_is_given_twice(backend: Backend) {
    const INSERTS: usize = 64;
    let world = World::new(backend, TICKETS, terms(1)).await;
    let services = [Arc::clone(&world.service), world.process().service().await];
    let tasks: Vec<_> = (0..INSERTS)
        .map(|index| {
            let (service, caller) = (Arc::clone(&services[index % 2]), world.admin());
            tokio::spawn(async move {
                if index % 8 == 0 {
                    let queries = json!([{"data": {"title": "x"}}, {"data": {"title": "y"}}]);
                    let batch = json!({"action": "insert", "table": "tickets", "queries": queries});
                    let results = ask(&service, &caller, batch).await.unwrap()["results"].clone();
                    return results.as_array().unwrap().iter().map(|one| one["generated"]["seat"].clone()).collect();
                }
                vec![ask(&service, &caller, insert("x")).await.unwrap()["generated"]["seat"].clone()]
            })
        })
        .collect();
    let mut told = HashSet::new();
    for task in tasks {
        for seat in task.await.unwrap() {
            assert!(told.insert(seat.as_i64().unwrap()), "{seat} was given twice");
        }
    }
    assert_eq!(told.len(), INSERTS + INSERTS / 8);
    assert_eq!(world.count("tickets").await, told.len());
    world.end().await;
}

async fn a_counter_never_goes_back(backend: Backend) {
    let world = World::new(backend, TICKETS, terms(10)).await;
    let admin = world.admin();
    let next = async || world.query(&admin, insert("x")).await.unwrap()["generated"]["seat"].as_i64().unwrap();
    assert_eq!((next().await, next().await), (10, 11));
    let all = json!({"action": "delete", "table": "tickets", "filter": {"column": "id", "op": ">", "value": 0}});
    world.query(&admin, all).await.unwrap();
    assert_eq!(next().await, 12, "the rows are gone, the counter is not");
    world.retell(terms(3));
    assert_eq!(next().await, 13, "an earlier start is of the past");
    world.retell(terms(100));
    assert_eq!((next().await, next().await), (100, 101), "a later start is ahead");
    world.end().await;
}

async fn counters_may_lie_in_another_database(backend: Backend) {
    let world = World::new(backend, TICKETS, terms(1)).await;
    let tenant = world.adopter().await;
    let caller = user_of(&tenant, "uma", 2, group("users", 10, &["tickets:rw"]));
    let single = async || ask(&world.service, &caller, insert("x")).await.unwrap()["generated"]["seat"].clone();
    assert_eq!((single().await, single().await), (json!(1), json!(2)));
    let queries = json!([{"data": {"title": "x"}}, {"data": {"title": "y"}}]);
    let batch = json!({"action": "insert", "table": "tickets", "queries": queries});
    let results = ask(&world.service, &caller, batch).await.unwrap()["results"].clone();
    assert_eq!((&results[0]["generated"]["seat"], &results[1]["generated"]["seat"]), (&json!(3), &json!(4)));
    let steps = crate::programs::Steps(vec![insert("a"), insert("b"), insert("c")]);
    let answers = kernel::DataApi::transact(&*world.service, &caller, kernel::RequestId::now(), Arc::new(steps)).await;
    let seats: Vec<_> = answers.unwrap().iter().map(|answer| answer["generated"]["seat"].clone()).collect();
    assert_eq!(seats, [5, 6, 7]);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (service, caller) = (Arc::clone(&world.service), caller.clone());
            tokio::spawn(async move { ask(&service, &caller, insert("x")).await.unwrap()["generated"]["seat"].clone() })
        })
        .collect();
    let mut told = HashSet::new();
    for task in tasks {
        assert!(told.insert(task.await.unwrap().as_i64().unwrap()));
    }
    // The tenant's own database was not counted in.
    let open = world.open().await;
    let mut select = sea_query::Query::select();
    select.expr(sea_query::Expr::cust("count(*)")).from(open.system.ddl().table("_sequences"));
    assert_eq!(open.system.read(&select).await.unwrap()[0].0, [Value::Int(0)]);
    world.end().await;
}
