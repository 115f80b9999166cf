//! Programs: queries one after the other, in one transaction.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use kernel::{Error, Program, Reason, Result};
use serde_json::{Value as Json, json};
use testkit::{Backend, on_all_databases};

use crate::{
    terms::{Terms, generated, numbers, random, with_generated},
    world::{TICKETS, World, group, reason},
};

on_all_databases!(
    a_program_reads_what_it_wrote,
    a_refusal_undoes_everything,
    a_program_is_held_to_the_callers_rights,
    a_reading_program_sees_one_state,
    a_program_is_repeated_after_a_collision,
    a_program_finds_tables_that_are_new
);

/// Queries in their order, whatever the answers are.
pub(crate) struct Steps(pub(crate) Vec<Json>);

impl Program for Steps {
    fn next(&self, answers: &[Json]) -> Result<Option<Json>> {
        Ok(self.0.get(answers.len()).cloned())
    }
}

/// A program that is a function of the answers.
struct Function<F>(F);

impl<F: Fn(&[Json]) -> Result<Option<Json>> + Send + Sync + 'static> Program for Function<F> {
    fn next(&self, answers: &[Json]) -> Result<Option<Json>> {
        (self.0)(answers)
    }
}

fn insert(data: &Json) -> Json {
    json!({"action": "insert", "table": "tickets", "data": data})
}

fn count() -> Json {
    json!({"action": "count", "table": "tickets"})
}

async fn a_program_reads_what_it_wrote(backend: Backend) {
    let columns = vec![generated("number", numbers("T", 2, 1)), generated("code", random("abcdefgh", 8))];
    let world = World::new(backend, TICKETS, Terms::default().table("tickets", with_generated(columns))).await;
    let program = Function(|answers: &[Json]| {
        Ok(match answers {
            [] => Some(insert(&json!({"title": "first"}))),
            [made] => {
                Some(json!({"action": "update", "table": "tickets", "data": {"title": made["generated"]["number"]},
                "where": {"id": made["data"]}}))
            }
            [made, _] => Some(
                json!({"action": "select", "table": "tickets", "columns": ["title"], "where": {"id": made["data"]}}),
            ),
            _ => None,
        })
    });
    let answers = world.transact(&world.admin(), program).await.unwrap();
    assert_eq!(answers[0]["data"], 1);
    assert_eq!(answers[1], json!({"rows_affected": 1}));
    assert_eq!(answers[2], json!({"data": [{"title": "T01"}]}));
    // It begins to write only after it has read.
    let program = Function(|answers: &[Json]| {
        Ok(match answers {
            [] | [_, _] => Some(count()),
            [counted] => Some(insert(&json!({"title": counted["data"].to_string()}))),
            _ => None,
        })
    });
    let answers = world.transact(&world.admin(), program).await.unwrap();
    assert_eq!((&answers[0]["data"], &answers[2]["data"]), (&json!(1), &json!(2)));
    assert_eq!(world.transact(&world.admin(), Steps(Vec::new())).await.unwrap(), Vec::<Json>::new());
    world.end().await;
}

async fn a_refusal_undoes_everything(backend: Backend) {
    let world = World::new(backend, TICKETS, Terms::default()).await;
    let twice = insert(&json!({"code": "one"}));
    let constraint = Steps(vec![twice.clone(), count(), twice]);
    let error = world.transact(&world.admin(), constraint).await.unwrap_err();
    assert_eq!((error.reason, error.field.as_deref()), (Reason::UniqueViolation, Some("code")));
    let unknown = Steps(vec![insert(&json!({"code": "one"})), count(), insert(&json!({"nothing": 1}))]);
    let error = world.transact(&world.admin(), unknown).await.unwrap_err();
    assert_eq!((error.reason, error.field.as_deref()), (Reason::UnknownColumn, Some("data.nothing")));
    let stopped = Function(|answers: &[Json]| match answers.len() {
        0 => Ok(Some(insert(&json!({"code": "one"})))),
        _ => Err(Error::plain(Reason::StepRefused)),
    });
    assert_eq!(reason(world.transact(&world.admin(), stopped).await), "step_refused");
    assert_eq!(world.count("tickets").await, 0);
    world.end().await;
}

async fn a_program_is_held_to_the_callers_rights(backend: Backend) {
    let terms = Terms::default().place("uma", &["tickets:rwo"], &[]);
    let world = World::new(backend, TICKETS, terms).await;
    let (uma, otto) = (world.user("uma", 2, group("users", 10, &[])), world.user("otto", 3, group("users", 10, &[])));
    let steps = || Steps(vec![insert(&json!({"title": "x"})), count()]);
    assert_eq!(world.transact(&uma, steps()).await.unwrap()[1], json!({"data": 1}));
    assert_eq!(reason(world.transact(&otto, steps()).await), "table_denied");
    // With a toolkit's rights the caller's do not matter, nor the places.
    let itself = world.user("otto", 3, group("toolkit:kit", 0, &["tickets:rw", "_users:rwa"]));
    assert_eq!(world.transact(&itself, steps()).await.unwrap()[1], json!({"data": 2}));
    let users = Steps(vec![json!({"action": "count", "table": "_sequences"})]);
    assert_eq!(reason(world.transact(&itself, users).await), "table_denied");
    for (query, field) in [
        (json!({"action": "insert", "table": "tickets", "queries": [{"data": {"title": "x"}}]}), "queries"),
        (json!({"action": "count", "table": "tickets", "explain": true}), "explain"),
        (json!({"action": "count", "table": "tickets", "limit": 1}), "limit"),
        (json!({"action": "count", "table": "tickets", "wher": {}}), "wher"),
        (json!({"action": "delete", "table": "tickets"}), "where"),
    ] {
        let error = world.transact(&world.admin(), Steps(vec![query])).await.unwrap_err();
        assert_eq!((error.reason.status(), error.field.as_deref()), (400, Some(field)), "{error}");
    }
    world.end().await;
}

async fn a_reading_program_sees_one_state(backend: Backend) {
    let world = World::new(backend, TICKETS, Terms::default()).await;
    let (process, admin) = (world.process(), world.admin());
    let program = Function(move |answers: &[Json]| {
        if answers.len() == 1 {
            // The reader holds up no writer, and does not see what it writes.
            let writing = process.transact(&admin, Steps(vec![insert(&json!({"title": "between"}))]));
            writing.join().unwrap().unwrap();
        }
        Ok((answers.len() < 2).then(count))
    });
    let answers = world.process().transact(&world.admin(), program).join().unwrap().unwrap();
    assert_eq!(answers, [json!({"data": 0}), json!({"data": 0})]);
    // SQLite may have looked twice: a read that takes long begins anew on another thread.
    assert!(world.count("tickets").await.as_i64().unwrap() >= 1);
    world.end().await;
}

async fn a_program_is_repeated_after_a_collision(backend: Backend) {
    if backend == Backend::Sqlite {
        return sqlite_repeats_a_group().await;
    }
    let world = World::new(backend, TICKETS, Terms::default()).await;
    for title in ["a", "b"] {
        world.query(&world.admin(), insert(&json!({"title": title}))).await.unwrap();
    }
    let (met, repeated) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    // Each locks one row and then wants the other's.
    let program = |first: i64, second: i64| {
        let (met, repeated, tries) = (Arc::clone(&met), Arc::clone(&repeated), AtomicUsize::new(0));
        Function(move |answers: &[Json]| {
            let touch = |id: i64| json!({"action": "update", "table": "tickets", "data": {"owner": first}, "where": {"id": id}});
            match answers.len() {
                0 => Ok(Some(touch(first))),
                1 => {
                    if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                        met.wait();
                    } else {
                        repeated.fetch_add(1, Ordering::SeqCst);
                    }
                    Ok(Some(touch(second)))
                }
                _ => Ok(None),
            }
        })
    };
    let process = world.process();
    let both = [(1, 2), (2, 1)].map(|(first, second)| process.transact(&world.admin(), program(first, second)));
    for one in both {
        assert_eq!(one.join().unwrap().unwrap().len(), 2);
    }
    // Whoever gave way may meet the other again.
    assert!(repeated.load(Ordering::SeqCst) >= 1, "one of them had to give way");
    world.end().await;
}

/// On SQLite programs follow one another. One is repeated where another write of its group spoils the commit.
async fn sqlite_repeats_a_group() {
    let tables = "CREATE TABLE parts (id INTEGER PRIMARY KEY, whole BIGINT REFERENCES parts (id) DEFERRABLE INITIALLY DEFERRED);";
    let world = World::new(Backend::Sqlite, tables, Terms::default()).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let part =
        |id: i64, whole: Option<i64>| json!({"action": "insert", "table": "parts", "data": {"id": id, "whole": whole}});
    let counting = |query: Json, pause: u64| {
        let begun = Arc::clone(&begun);
        Function(move |answers: &[Json]| {
            if answers.is_empty() {
                begun.fetch_add(1, Ordering::SeqCst);
            } else {
                sleep(Duration::from_millis(pause));
            }
            Ok(answers.is_empty().then(|| query.clone()))
        })
    };
    let admin = world.admin();
    let (slow, good, bad) = tokio::join!(
        world.transact(&admin, counting(part(1, None), 300)),
        async {
            // They gather while the slow one writes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            world.transact(&admin, counting(part(2, None), 0)).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            world.transact(&admin, counting(part(3, Some(99)), 0)).await
        }
    );
    assert!(slow.is_ok() && good.is_ok());
    assert_eq!(reason(bad), "foreign_key_violation");
    assert!(begun.load(Ordering::SeqCst) > 6, "nothing was repeated: {begun:?}");
    assert_eq!(world.count("parts").await, 2);
    world.end().await;
}

async fn a_program_finds_tables_that_are_new(backend: Backend) {
    let world = World::new(backend, TICKETS, Terms::default()).await;
    world.query(&world.admin(), count()).await.unwrap();
    // Somebody else makes a table; a catalogue of the last second is believed.
    let folder = world.tenant.folder.join("migrations");
    std::fs::write(folder.join("0002_later.sql"), "CREATE TABLE later (id INTEGER PRIMARY KEY)").unwrap();
    let open = world.elsewhere().await;
    store::apply_scripts(&open.data, &folder).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let steps = Steps(vec![insert(&json!({"title": "x"})), json!({"action": "count", "table": "later"})]);
    assert_eq!(world.transact(&world.admin(), steps).await.unwrap()[1], json!({"data": 0}));
    assert_eq!(world.count("tickets").await, 1, "what was begun before is not there twice");
    world.end().await;
}
