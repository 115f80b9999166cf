//! Reading.

use std::sync::Arc;

use kernel::WriteContext;
use sea_query::{Alias, Condition, Expr, ExprTrait, LikeExpr, Query};
use store::{Change, Insert, OutputColumn, Value};

use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(
    like_tells_upper_from_lower_case,
    text_is_ordered_by_code_points,
    a_long_read_does_not_stop_short_ones,
    an_answer_has_so_many_bytes,
);

const WORDS: &str = "CREATE TABLE words (id SERIAL, word VARCHAR(40) NOT NULL)";

async fn with_words(backend: Backend, words: &[&str]) -> Fixture {
    let fixture = Fixture::with_tables(backend, WORDS).await;
    for word in words {
        fixture.insert("words", &[("word", Value::from(*word))]).await.unwrap();
    }
    fixture
}

async fn like_tells_upper_from_lower_case(backend: Backend) {
    let fixture = with_words(backend, &["Apple", "apple", "a_b", "a%b", "axb"]).await;
    let matching = async |pattern: &str| {
        let like = Expr::col(Alias::new("word")).like(LikeExpr::new(pattern).escape('\\'));
        let rows = fixture.json_where("words", Condition::all().add(like)).await;
        rows.matches("\"id\"").count()
    };
    assert_eq!(matching("a%").await, 4);
    assert_eq!(matching("A%").await, 1);
    assert_eq!(matching("a\\_b").await, 1);
    assert_eq!(matching("a\\%b").await, 1);
    assert_eq!(matching("a_b").await, 3);
    fixture.end().await;
}

async fn text_is_ordered_by_code_points(backend: Backend) {
    let fixture = with_words(backend, &["b", "a", "B", "ä", "Z", "a "]).await;
    let mut select = Query::select();
    select.column(Alias::new("word")).from(fixture.table("words").reference());
    select.order_by(Alias::new("word"), sea_query::Order::Asc);
    let rows = fixture.open.data.read(&select).await.unwrap();
    let words: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(words, ["B", "Z", "a", "a ", "b", "ä"]);
    let exact = Condition::all().add(Expr::col(Alias::new("word")).eq("a"));
    assert_eq!(fixture.json_where("words", exact).await.matches("\"id\"").count(), 1);
    fixture.end().await;
}

async fn a_long_read_does_not_stop_short_ones(backend: Backend) {
    let fixture = Arc::new(Fixture::with_tables(backend, WORDS).await);
    let table = fixture.table("words");
    let position = table.position("word").unwrap();
    let rows = (0..400).map(|number| vec![Value::Text(format!("word {number}"))]).collect();
    let change = Change::Insert(Insert { table: Arc::clone(&table), columns: vec![position], rows, guard: None });
    fixture.open.data.write(&WriteContext::system(), change).await.unwrap();
    let long = {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            // A product of three: far more steps than a short read may take.
            let mut select = Query::select();
            select.expr(Expr::col(sea_query::Asterisk).count());
            for alias in ["a", "b", "c"] {
                select.from(fixture.table("words").reference().alias(Alias::new(alias)));
            }
            fixture.open.data.read(&select).await.unwrap()[0].int(0).unwrap()
        })
    };
    for _ in 0..50 {
        let one = Condition::all().add(Expr::col(Alias::new("id")).eq(7));
        assert!(fixture.json_where("words", one).await.contains("\"word 6\""));
    }
    assert_eq!(long.await.unwrap(), 64_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_on_sqlite_ends_at_its_time() {
    let fixture = with_words(Backend::Sqlite, &["a"; 1]).await;
    let mut config = fixture.config.clone();
    config.sqlite.read_timeout_seconds = 0;
    let impatient =
        store::Tenants::start(fixture.data.path(), config, fixture.key.clone(), Vec::new(), Vec::new()).await.unwrap();
    let open = impatient.open(&fixture.tenant).await.unwrap();
    let rows = (0..400).map(|number| vec![Value::Text(number.to_string())]).collect();
    let table = fixture.table("words");
    let change = Change::Insert(Insert { columns: vec![table.position("word").unwrap()], table, rows, guard: None });
    fixture.open.data.write(&WriteContext::system(), change).await.unwrap();
    let mut select = Query::select();
    select.expr(Expr::col(sea_query::Asterisk).count());
    for alias in ["a", "b", "c"] {
        select.from(fixture.table("words").reference().alias(Alias::new(alias)));
    }
    assert!(matches!(open.data.read(&select).await, Err(store::Error::Timeout)));
}

async fn an_answer_has_so_many_bytes(backend: Backend) {
    let text = if backend == Backend::Mariadb { "LONGTEXT" } else { "TEXT" };
    let fixture = Fixture::with_tables(backend, &format!("CREATE TABLE large (id SERIAL, body {text})")).await;
    let body = "x".repeat(1 << 20);
    for _ in 0..66 {
        fixture.insert("large", &[("body", Value::from(&*body))]).await.unwrap();
    }
    let table = fixture.table("large");
    let columns: Arc<[OutputColumn]> = [OutputColumn::new("body", table.columns[1].kind.clone())].into();
    let select = |rows: u64| {
        let mut select = Query::select();
        select.from(table.reference()).expr(table.col(None, 1)).limit(rows).take()
    };
    let read = async |rows| fixture.open.data.read_json(&select(rows), &columns).await;
    assert_eq!(read(40).await.unwrap().rows, 40);
    let error = kernel::Error::from(read(66).await.unwrap_err());
    assert_eq!((error.reason, error.field.as_deref()), (kernel::Reason::FieldInvalid, Some("limit")));
    assert_eq!(read(1).await.unwrap().rows, 1, "the connection is good for more");
    let (two, columns) = (select(40), Arc::clone(&columns));
    let twice = fixture.open.data.snapshot(move |transaction| {
        let (two, columns) = (two.clone(), Arc::clone(&columns));
        Box::pin(async move {
            assert_eq!(transaction.json(&two, &columns, &mut Vec::new()).await?, 40);
            transaction.json(&two, &columns, &mut Vec::new()).await
        })
    });
    assert!(matches!(twice.await, Err(store::Error::TooLarge)), "several answers of one transaction are one");
    fixture.end().await;
}
