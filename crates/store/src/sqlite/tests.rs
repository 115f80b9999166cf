//! What an open database holds: connections, files and its catalogue.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Sqlite, SqliteConfig};
use crate::{Error, Result, Schema, Statement};

struct Stage {
    sqlite: Sqlite,
    schema: Arc<Schema>,
    folder: TempDir,
}

impl Stage {
    /// Opens a database with a table and a row that another process has made.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        made(&folder.path().join("x.db"), 1);
        let (sqlite, schema) = Sqlite::open(&folder.path().join("x.db"), SqliteConfig::default()).await.unwrap();
        Self { sqlite, schema, folder }
    }

    async fn insert(&self, id: i64) -> Result<()> {
        self.sqlite.script(format!("INSERT INTO t VALUES ({id})")).await
    }

    async fn ids(&self) -> Result<Vec<i64>> {
        let rows = self.sqlite.read(Statement::fixed("SELECT id FROM t ORDER BY id")).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// How many files this process has open here; none where the system does not tell.
    fn open_files(&self) -> usize {
        let Ok(files) = std::fs::read_dir("/proc/self/fd") else { return 0 };
        let targets = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.filter(|file| file.starts_with(self.folder.path())).count()
    }
}

fn made(file: &Path, id: i64) {
    let connection = Connection::open(file).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.execute_batch(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES ({id})")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_used_is_given_back() {
    let stage = Stage::new().await;
    assert_eq!(stage.ids().await.unwrap(), [1]);
    assert!(stage.open_files() <= 3, "a database that is only read has one connection");
    stage.insert(2).await.unwrap();
    let busy = stage.open_files();
    stage.sqlite.rest();
    assert_eq!(stage.open_files(), busy, "what was used a moment ago is kept");
    // The writer is busy for a moment after it has answered.
    for _ in 0..100 {
        stage.sqlite.rest();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // SQLite keeps one for the next connection: closing it would drop the locks of the others.
    assert!(stage.open_files() <= 4, "{} files are open, {busy} were", stage.open_files());
    stage.insert(3).await.unwrap();
    assert_eq!(stage.ids().await.unwrap(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_in_the_same_place_is_not_touched() {
    let stage = Stage::new().await;
    for ending in ["", "-wal", "-shm"] {
        let file = |name: &str| stage.folder.path().join(format!("{name}.db{ending}"));
        std::fs::rename(file("x"), file("y")).unwrap();
    }
    made(&stage.folder.path().join("x.db"), 7);
    assert!(matches!(stage.insert(2).await, Err(Error::Unavailable(_))));
    assert_eq!(stage.ids().await.unwrap(), [1]);
    let other = Connection::open(stage.folder.path().join("x.db")).unwrap();
    let ids: i64 = other.query_row("SELECT sum(id) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(ids, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_closed_opens_nothing() {
    let stage = Stage::new().await;
    stage.insert(2).await.unwrap();
    stage.sqlite.close().await.unwrap();
    assert_eq!(stage.open_files(), 0);
    assert!(matches!(stage.ids().await, Err(Error::Unavailable(_))));
    assert!(matches!(stage.insert(3).await, Err(Error::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_with_the_same_tables_share_a_catalogue() {
    let (one, other) = (Stage::new().await, Stage::new().await);
    assert!(Arc::ptr_eq(&one.schema, &other.schema));
    let add = "ALTER TABLE t ADD COLUMN name TEXT".to_owned();
    one.sqlite.script(add).await.unwrap();
    let (changed, same) = (one.sqlite.read_schema().await.unwrap(), other.sqlite.read_schema().await.unwrap());
    assert!(changed.table("t").unwrap().column("name").is_some());
    assert!(Arc::ptr_eq(&same, &other.schema) && !Arc::ptr_eq(&same, &changed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_goes_on_while_others_take_long() {
    let stage = Stage::new().await;
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n";
    let long = || stage.sqlite.read(Statement::fixed(endless));
    let short = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun = Instant::now();
        assert_eq!(stage.ids().await.unwrap(), [1]);
        begun.elapsed()
    };
    let begun = Instant::now();
    let (first, second, third, waited) = tokio::join!(long(), long(), long(), short);
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert!(waited < begun.elapsed() / 2, "a short read waited for {waited:?}");
}
