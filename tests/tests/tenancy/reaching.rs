//! Attempts to reach a neighbour's things by name and by number, with a good token at one's own host.

use insula_tests::{Backend, on_all_databases};
use serde_json::json;

use crate::{Neighbours, OUR_SECRET, THEIR_SECRET};

on_all_databases!(
    names_and_numbers_stay_at_home,
    one_name_in_two_tenants_is_two_people,
    rules_of_one_do_not_bind_the_other
);

async fn names_and_numbers_stay_at_home(backend: Backend) {
    let Neighbours { world, other, ours, theirs } = Neighbours::new(backend).await;
    let schema = format!("insula_{}", other.name.replace('-', "_"));
    for table in [
        "only_theirs".to_owned(),
        format!("{schema}.secrets"),
        format!("{schema}.only_theirs"),
        format!("{schema}`.`secrets"),
    ] {
        for query in [
            json!({"action": "select", "table": table}),
            json!({"action": "count", "table": table}),
            json!({"action": "insert", "table": table, "data": {"secret": "x"}}),
            json!({"action": "delete", "table": table, "where": {"id": 1}}),
        ] {
            let answer = ours.query(query).await;
            assert_eq!(answer.refusal(), (400, "unknown_table"), "{table}: {}", answer.text);
        }
    }
    let joined = json!({"action": "select", "table": "secrets", "joins": [
        {"table": "only_theirs", "on": "secrets.id = only_theirs.id"},
    ]});
    assert_eq!(ours.query(joined).await.refusal(), (400, "unknown_table"));
    // Both rows have the number 1.
    for (client, secret) in [(&ours, OUR_SECRET), (&theirs, THEIR_SECRET)] {
        let answer = client.query(json!({"action": "select", "table": "secrets", "columns": ["id", "secret"]})).await;
        assert_eq!(answer.data(), &json!([{"id": 1, "secret": secret}]));
    }
    let all = json!({"column": "id", "op": ">", "value": 0});
    assert_eq!(
        ours.query(json!({"action": "delete", "table": "secrets", "filter": all})).await.body["rows_affected"],
        1
    );
    assert_eq!(theirs.query(json!({"action": "count", "table": "secrets"})).await.data(), 1);
    // A user's number is one's own tenant's, too.
    for number in 1..=5 {
        let answer = ours.post("/auth/clear-sessions", &json!({"user_id": number})).await;
        assert_eq!((answer.status, &answer.body["sessions_cleared"]), (200, &json!(0)));
    }
    assert_eq!(theirs.get("/auth/status").await.status, 200);
    world.end().await;
}

async fn one_name_in_two_tenants_is_two_people(backend: Backend) {
    let Neighbours { world, other, .. } = Neighbours::new(backend).await;
    let register = |password: &str| json!({"username": "jane", "email": "jane@example.com", "password": password});
    let (ours, theirs) = (world.at(&world.tenant), world.at(&other));
    let here = ours.post("/auth/register", &register("wind in the willows")).await;
    let there = theirs.post("/auth/register", &register("three men in a boat")).await;
    assert_eq!((here.status, there.status), (201, 201), "{} {}", here.text, there.text);
    assert_eq!(ours.post("/auth/register", &register("another pass phrase")).await.refusal(), (409, "username_taken"));
    assert_ne!(here.body["user"]["uuid"], there.body["user"]["uuid"]);
    for name in ["jane", "Jane@Example.com"] {
        ours.log_in(name, "wind in the willows").await;
        theirs.log_in(name, "three men in a boat").await;
        let wrong = json!({"method": "password", "username": name, "password": "wind in the willows"});
        assert_eq!(theirs.post("/auth/login", &wrong).await.refusal(), (401, "credentials_invalid"));
    }
    world.end().await;
}

async fn rules_of_one_do_not_bind_the_other(backend: Backend) {
    let Neighbours { world, other, .. } = Neighbours::new(backend).await;
    world.group("users", &["secrets:r"], &[]).await;
    let (ours, theirs) = (world.user("uma", "users").await, world.user_of(&other, "uma", "users").await);
    let count = json!({"action": "count", "table": "secrets"});
    assert_eq!(ours.query(count.clone()).await.data(), 1);
    assert_eq!(theirs.query(count).await.refusal(), (403, "table_denied"));
    world.end().await;
}
