//! Migrations: in order, once, and never guessed.

use store::{Error, Migration, migrate};

use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(
    files_are_applied_once_and_in_order,
    a_changed_or_missing_file_is_refused,
    features_steps_are_checked
);

async fn files_are_applied_once_and_in_order(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    fixture.migrate("0001_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY); INSERT INTO a VALUES (1);").await.unwrap();
    let report = fixture.migrate("0002_b.sql", "INSERT INTO a SELECT id + 1 FROM a;").await.unwrap();
    assert_eq!(report.iter().map(|script| script.new).collect::<Vec<_>>(), [false, true]);
    let report = fixture.migrate("0002_b.sql", "INSERT INTO a SELECT id + 1 FROM a;").await.unwrap();
    assert!(report.iter().all(|script| !script.new));
    assert_eq!(fixture.json("a").await, r#"[{"id":1},{"id":2}]"#);
    fixture.end().await;
}

async fn a_changed_or_missing_file_is_refused(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    fixture.migrate("0001_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY);").await.unwrap();
    let error = fixture.migrate("0001_a.sql", "CREATE TABLE a (id BIGINT);").await.unwrap_err();
    assert!(matches!(&error, Error::Migration(text) if text.contains("0001_a.sql was changed")), "{error}");
    std::fs::remove_file(fixture.tenant.folder.join("migrations/0001_a.sql")).unwrap();
    let error = fixture.migrate("0002_b.sql", "CREATE TABLE b (id BIGINT PRIMARY KEY);").await.unwrap_err();
    assert!(matches!(&error, Error::Migration(text) if text.contains("is gone")), "{error}");
    let other = fixture.tenant.folder.join("migrations");
    std::fs::remove_dir_all(&other).unwrap();
    fixture.migrate("0001_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY);").await.unwrap();
    let error = fixture.migrate("0003_c.sql", "CREATE TABLE nonsense (").await.unwrap_err();
    assert!(matches!(&error, Error::Migration(text) if text.contains("0003_c.sql failed")), "{error}");
    fixture.end().await;
}

async fn features_steps_are_checked(backend: Backend) {
    const ONE: Migration = Migration {
        feature: "demo",
        number: 1,
        name: "one",
        statements: |ddl| vec![ddl.sql(&ddl.create("_one", [ddl.serial("id"), ddl.text("name", 9)]))],
    };
    const CHANGED: Migration = Migration {
        statements: |ddl| vec![ddl.sql(&ddl.create("_one", [ddl.serial("id"), ddl.text("name", 10)]))],
        ..ONE
    };
    let fixture = Fixture::new(backend).await;
    let database = &fixture.open.data;
    migrate(database, &[ONE]).await.unwrap();
    migrate(database, &[ONE]).await.unwrap();
    assert!(database.schema().table("_one").is_some());
    let error = migrate(database, &[CHANGED]).await.unwrap_err();
    assert!(error.to_string().contains("checksum differs"), "{error}");
    let error = migrate(database, &[]).await.unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
    fixture.end().await;
}
