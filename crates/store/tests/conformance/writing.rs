//! Writing: whole or not at all.

use std::sync::Arc;

use kernel::{RequestId, WriteContext};
use sea_query::{Alias, Condition, Expr, ExprTrait};
use store::{Change, Delete, Error, Guard, Insert, Update, Value};

use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(
    constraints_are_told_apart,
    a_guard_undoes_what_it_refuses,
    a_limit_takes_rows_in_the_order_of_the_key,
    a_failed_transaction_leaves_nothing,
    concurrent_writers_all_succeed,
    text_keys_and_composite_keys_are_returned,
    a_panic_in_one_write_harms_no_other,
    triggers_learn_who_writes,
    a_deferred_constraint_spoils_no_other_write,
);

const TABLES: &str = "CREATE TABLE rooms (id SERIAL, name VARCHAR(40) NOT NULL, seats INTEGER CHECK (seats > 0), \
        CONSTRAINT rooms_name UNIQUE (name)); \
    CREATE TABLE bookings (id SERIAL, room BIGINT NOT NULL, who BIGINT, \
        CONSTRAINT bookings_room FOREIGN KEY (room) REFERENCES rooms (id)); \
    CREATE TABLE codes (code VARCHAR(10) PRIMARY KEY, label VARCHAR(20)); \
    CREATE TABLE pairs (a VARCHAR(10), b BIGINT, note VARCHAR(20), PRIMARY KEY (a, b))";

fn text(text: &str) -> Value {
    Value::from(text)
}

async fn constraints_are_told_apart(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLES).await;
    fixture.insert("rooms", &[("name", text("Aula"))]).await.unwrap();
    let error = fixture.insert("rooms", &[("name", text("Aula"))]).await.unwrap_err();
    assert!(matches!(&error, Error::Unique(columns) if columns == &["name"]), "{error:?}");
    let error = fixture.insert("rooms", &[("name", Value::Null)]).await.unwrap_err();
    assert!(matches!(&error, Error::NotNull(Some(column)) if column == "name"), "{error:?}");
    let error = fixture.insert("rooms", &[("seats", Value::Int(4))]).await.unwrap_err();
    assert!(matches!(&error, Error::NotNull(Some(column)) if column == "name"), "{error:?}");
    let error = fixture.insert("rooms", &[("name", text("b")), ("seats", Value::Int(0))]).await.unwrap_err();
    assert!(matches!(error, Error::Check), "{error:?}");
    let error = fixture.insert("bookings", &[("room", Value::Int(99))]).await.unwrap_err();
    assert!(matches!(error, Error::ForeignKey), "{error:?}");
    assert_eq!(fixture.json("rooms").await.matches("\"id\"").count(), 1);
    fixture.end().await;
}

async fn a_guard_undoes_what_it_refuses(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLES).await;
    let rooms = fixture.table("rooms");
    let named = |name: &str| Guard::new(Condition::all().add(rooms.col(None, 1).eq(name)));
    let insert = |name: &str, guard: Guard| {
        Change::Insert(Insert {
            table: Arc::clone(&rooms),
            columns: vec![1],
            rows: vec![vec![text(name)]],
            guard: Some(guard),
        })
    };
    let context = WriteContext { user: Some(7), request: Some(RequestId::now()), ..WriteContext::system() };
    let database = &fixture.open.data;
    database.write(&context, insert("a", named("a"))).await.unwrap();
    let error = database.write(&context, insert("b", named("a"))).await.unwrap_err();
    assert!(matches!(error, Error::GuardRefused(_)), "{error:?}");
    let update = |value: &str, guard: Guard| {
        Change::Update(Update {
            table: Arc::clone(&rooms),
            set: vec![(1, Expr::val(value))],
            filter: Condition::all().add(rooms.col(None, 1).eq("a")),
            limit: None,
            guard: Some(guard),
        })
    };
    let error = database.write(&context, update("z", named("a"))).await.unwrap_err();
    assert!(matches!(error, Error::GuardRefused(_)), "{error:?}");
    assert_eq!(database.write(&context, update("c", named("c"))).await.unwrap().rows, 1);
    let answer = fixture.json("rooms").await;
    assert!(answer.contains("\"c\"") && !answer.contains("\"b\"") && !answer.contains("\"z\""), "{answer}");
    fixture.end().await;
}

async fn a_limit_takes_rows_in_the_order_of_the_key(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLES).await;
    for number in 1..=5 {
        fixture.insert("pairs", &[("a", text("x")), ("b", Value::Int(number))]).await.unwrap();
    }
    let pairs = fixture.table("pairs");
    let update = Change::Update(Update {
        table: Arc::clone(&pairs),
        set: vec![(2, Expr::val("seen"))],
        filter: Condition::all().add(pairs.col(None, 1).gt(1)),
        limit: Some(2),
        guard: None,
    });
    let system = WriteContext::system();
    assert_eq!(fixture.open.data.write(&system, update).await.unwrap().rows, 2);
    let seen = Condition::all().add(Expr::col(Alias::new("note")).eq("seen"));
    let answer = fixture.json_where("pairs", seen).await;
    assert!(answer.contains("\"b\":2") && answer.contains("\"b\":3"), "{answer}");
    let delete =
        Delete { table: Arc::clone(&pairs), filter: Condition::all().add(pairs.col(None, 1).gt(0)), limit: Some(4) };
    assert_eq!(fixture.open.data.write(&system, Change::Delete(delete)).await.unwrap().rows, 4);
    assert!(fixture.json("pairs").await.contains("\"b\":5"));
    fixture.end().await;
}

async fn a_failed_transaction_leaves_nothing(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLES).await;
    let good = Arc::new(fixture.insertion("rooms", &[("name", text("a"))]));
    let bad = Arc::new(fixture.insertion("bookings", &[("room", Value::Int(99))]));
    let outcome = fixture
        .open
        .data
        .transaction(&WriteContext::system(), move |transaction| {
            let (good, bad) = (Arc::clone(&good), Arc::clone(&bad));
            Box::pin(async move {
                transaction.apply(&good).await?;
                transaction.savepoint().await?;
                assert!(transaction.apply(&bad).await.is_err());
                transaction.rollback_to_savepoint().await?;
                transaction.apply(&bad).await.map(drop)
            })
        })
        .await;
    assert!(matches!(outcome, Err(Error::ForeignKey)), "{outcome:?}");
    assert_eq!(fixture.json("rooms").await, "[]");
    fixture.end().await;
}

async fn concurrent_writers_all_succeed(backend: Backend) {
    let fixture = Arc::new(Fixture::with_tables(backend, TABLES).await);
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move {
                for number in 0..10 {
                    let name = format!("{writer}-{number}");
                    fixture.insert("rooms", &[("name", Value::Text(name))]).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(fixture.json("rooms").await.matches("\"id\"").count(), 320);
}

async fn text_keys_and_composite_keys_are_returned(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLES).await;
    let applied = fixture.insert("codes", &[("code", text("DE"))]).await.unwrap();
    assert_eq!(applied.keys, [[text("DE")]]);
    let applied = fixture.insert("pairs", &[("b", Value::Int(3)), ("a", text("k"))]).await.unwrap();
    assert_eq!(applied.keys, [[text("k"), Value::Int(3)]]);
    fixture.end().await;
}

async fn a_panic_in_one_write_harms_no_other(backend: Backend) {
    let fixture = Arc::new(Fixture::with_tables(backend, TABLES).await);
    let change = Arc::new(fixture.insertion("rooms", &[("name", text("lost"))]));
    let broken = Arc::clone(&fixture);
    let panicking = tokio::spawn(async move {
        broken
            .open
            .data
            .transaction(&WriteContext::system(), move |transaction| {
                let change = Arc::clone(&change);
                Box::pin(async move {
                    transaction.apply(&change).await?;
                    if change.table().view { Ok(()) } else { panic!("on purpose") }
                })
            })
            .await
    });
    assert!(!matches!(panicking.await, Ok(Ok(()))));
    fixture.insert("rooms", &[("name", text("kept"))]).await.unwrap();
    let answer = fixture.json("rooms").await;
    assert!(answer.contains("kept") && !answer.contains("lost"), "{answer}");
}

async fn triggers_learn_who_writes(backend: Backend) {
    let (expression, request) = match backend {
        Backend::Sqlite => ("current_user_id()", "request_id()"),
        Backend::Postgres => ("current_setting('app.current_user_id')::bigint", "current_setting('app.request_id')"),
        Backend::Mariadb => ("@current_user_id", "@request_id"),
    };
    let tables = "CREATE TABLE notes (id SERIAL, body VARCHAR(20)); \
        CREATE TABLE trail (id SERIAL, who BIGINT, request VARCHAR(40));";
    let note = format!("INSERT INTO trail (who, request) VALUES ({expression}, {request})");
    let trigger = match backend {
        Backend::Sqlite => format!("CREATE TRIGGER noted AFTER INSERT ON notes BEGIN {note}; END;"),
        Backend::Mariadb => format!("CREATE TRIGGER noted AFTER INSERT ON notes FOR EACH ROW {note};"),
        Backend::Postgres => format!(
            "CREATE FUNCTION note() RETURNS trigger SET search_path FROM CURRENT LANGUAGE plpgsql AS \
             $$ BEGIN {note}; RETURN NEW; END $$; \
             CREATE TRIGGER noted AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION note();"
        ),
    };
    let fixture = Fixture::with_tables(backend, &format!("{tables} {trigger}")).await;
    let id = RequestId::now();
    let context = WriteContext { user: Some(7), request: Some(id), ..WriteContext::system() };
    let change = fixture.insertion("notes", &[("body", text("x"))]);
    fixture.open.data.write(&context, change).await.unwrap();
    assert_eq!(fixture.json("trail").await, format!("[{{\"id\":1,\"who\":7,\"request\":\"{id}\"}}]"));
    // The keys are those of the notes, and not of what the trigger writes.
    fixture.insert("trail", &[("who", Value::Int(8))]).await.unwrap();
    let notes = fixture.table("notes");
    let rows = vec![vec![text("y")], vec![text("z")]];
    let several = Change::Insert(Insert { table: notes, columns: vec![1], rows, guard: None });
    let applied = fixture.open.data.write(&context, several).await.unwrap();
    assert_eq!(applied.keys, [[Value::Int(2)], [Value::Int(3)]]);
    fixture.end().await;
}

async fn a_deferred_constraint_spoils_no_other_write(backend: Backend) {
    let deferred = if backend == Backend::Mariadb { "" } else { "DEFERRABLE INITIALLY DEFERRED" };
    let sql = format!(
        "CREATE TABLE rooms (id BIGINT PRIMARY KEY); CREATE TABLE beds (id SERIAL, room BIGINT, \
         CONSTRAINT beds_room FOREIGN KEY (room) REFERENCES rooms (id) {deferred})"
    );
    let fixture = Arc::new(Fixture::with_tables(backend, &sql).await);
    fixture.insert("rooms", &[("id", Value::Int(1))]).await.unwrap();
    let writers: Vec<_> = (0..40)
        .map(|number| {
            let fixture = Arc::clone(&fixture);
            let room = if number % 10 == 0 { 99 } else { 1 };
            tokio::spawn(async move { (room, fixture.insert("beds", &[("room", Value::Int(room))]).await) })
        })
        .collect();
    for writer in writers {
        let (room, outcome) = writer.await.unwrap();
        match outcome {
            Ok(_) => assert_eq!(room, 1),
            Err(error) => assert!(room == 99 && matches!(error, Error::ForeignKey), "{room}: {error:?}"),
        }
    }
    assert_eq!(fixture.json("beds").await.matches("\"room\":1").count(), 36);
}
