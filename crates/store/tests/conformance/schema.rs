//! The catalogue.

use store::Kind;

use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(the_catalogue_is_read_alike, mixed_case_and_reserved_words_work, views_are_seen);

async fn the_catalogue_is_read_alike(backend: Backend) {
    let sql = "CREATE TABLE things (id SERIAL, code VARCHAR(8) NOT NULL DEFAULT 'x', price DECIMAL(8,3), flag BOOLEAN, \
        doubled BIGINT GENERATED ALWAYS AS (id2 * 2) STORED, id2 BIGINT)";
    let fixture = Fixture::with_tables(backend, sql).await;
    let things = fixture.table("things");
    let column = |name: &str| things.column(name).unwrap();
    assert_eq!(column("id").kind, Kind::BIGINT);
    assert_eq!(column("code").kind, Kind::Text { max: Some(8) });
    assert_eq!(column("price").kind, Kind::Decimal { precision: Some(8), scale: Some(3) });
    assert_eq!(column("flag").kind, Kind::Bool);
    assert!(column("doubled").generated && !column("id2").generated);
    assert!(column("id").has_default && column("code").has_default && !column("price").has_default);
    assert!(!column("code").nullable && column("price").nullable);
    assert_eq!(things.key, [0]);
    fixture.end().await;
}

async fn mixed_case_and_reserved_words_work(backend: Backend) {
    let sql = match backend {
        Backend::Mariadb => "CREATE TABLE `Order` (id SERIAL, `Group` VARCHAR(9), `select` BIGINT)",
        _ => "CREATE TABLE \"Order\" (id SERIAL, \"Group\" VARCHAR(9), \"select\" BIGINT)",
    };
    let fixture = Fixture::with_tables(backend, sql).await;
    let row = [("Group", store::Value::from("g")), ("select", store::Value::Int(5))];
    fixture.insert("Order", &row).await.unwrap();
    assert_eq!(fixture.json("Order").await, r#"[{"id":1,"Group":"g","select":5}]"#);
    fixture.end().await;
}

async fn views_are_seen(backend: Backend) {
    let sql = "CREATE TABLE t (id SERIAL, n BIGINT); CREATE VIEW v AS SELECT n FROM t";
    let fixture = Fixture::with_tables(backend, sql).await;
    assert!(fixture.table("v").view && !fixture.table("t").view);
    assert!(fixture.table("v").key.is_empty());
    fixture.end().await;
}
