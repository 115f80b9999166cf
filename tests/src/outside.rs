//! A database that was there before Insula, and is used by other programs too.

use std::path::PathBuf;

use mysql_async::prelude::Queryable;
use tempfile::TempDir;
use testkit::Backend;

/// A database that Insula does not own. It is removed at the end.
pub struct Outside {
    /// Where it is.
    pub backend: Backend,
    /// Its name on the server.
    pub name: String,
    folder: TempDir,
}

impl Outside {
    /// A new, empty one.
    pub async fn new(backend: Backend) -> Self {
        let name = format!("outside_{}", uuid::Uuid::new_v4().simple()).chars().take(30).collect();
        let outside = Self { backend, name, folder: tempfile::tempdir().unwrap() };
        match backend {
            Backend::Sqlite => drop(rusqlite::Connection::open(outside.file()).unwrap()),
            Backend::Postgres => outside.postgres(&format!("CREATE SCHEMA {}", outside.name)).await,
            Backend::Mariadb => outside.mariadb(&format!("CREATE DATABASE {}", outside.name)).await,
        }
        outside
    }

    /// The URL by which a tenant adopts it.
    pub fn url(&self) -> String {
        match self.backend {
            Backend::Sqlite => format!("sqlite://{}", self.file().display()),
            Backend::Postgres => format!("{}?schema={}", self.backend.url(), self.name),
            Backend::Mariadb => format!("{}{}", self.backend.url(), self.name),
        }
    }

    /// Runs statements.
    pub async fn run(&self, sql: &str) {
        match self.backend {
            Backend::Sqlite => rusqlite::Connection::open(self.file()).unwrap().execute_batch(sql).unwrap(),
            Backend::Postgres => self.postgres(&format!("SET search_path TO {}; {sql}", self.name)).await,
            Backend::Mariadb => {
                self.mariadb(&format!("USE {}", self.name)).await;
                self.mariadb(&format!("USE {}; {sql}", self.name)).await;
            }
        }
    }

    /// The number that a statement selects.
    pub async fn number(&self, sql: &str) -> i64 {
        match self.backend {
            Backend::Sqlite => {
                let connection = rusqlite::Connection::open(self.file()).unwrap();
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Backend::Postgres => {
                let client = postgres(&self.backend.url()).await;
                client.batch_execute(&format!("SET search_path TO {}", self.name)).await.unwrap();
                client.query_one(sql, &[]).await.unwrap().get(0)
            }
            Backend::Mariadb => {
                let mut connection = mysql_async::Conn::from_url(self.url()).await.unwrap();
                let number: Option<i64> = connection.query_first(sql).await.unwrap();
                connection.disconnect().await.unwrap();
                number.unwrap()
            }
        }
    }

    /// How many tables and views it has.
    pub async fn tables(&self) -> i64 {
        if self.backend == Backend::Sqlite {
            return self.number("SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'view')").await;
        }
        let named = format!("table_schema = '{}'", self.name);
        self.number(&format!("SELECT count(*) FROM information_schema.tables WHERE {named}")).await
    }

    /// Removes it.
    pub async fn end(self) {
        match self.backend {
            Backend::Sqlite => {}
            Backend::Postgres => self.postgres(&format!("DROP SCHEMA {} CASCADE", self.name)).await,
            Backend::Mariadb => self.mariadb(&format!("DROP DATABASE {}", self.name)).await,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("outside.db")
    }

    async fn postgres(&self, sql: &str) {
        postgres(&self.backend.url()).await.batch_execute(sql).await.unwrap();
    }

    async fn mariadb(&self, sql: &str) {
        let mut connection = mysql_async::Conn::from_url(self.backend.url()).await.unwrap();
        let mut results = connection.query_iter(sql).await.unwrap();
        while !results.is_empty() {
            results.for_each(drop).await.unwrap();
        }
        drop(results);
        connection.disconnect().await.unwrap();
    }
}

/// A database of its own on the PostgreSQL server, for those who need all of a server's schemas for themselves.
pub struct OwnPostgres {
    /// Its URL.
    pub url: String,
    name: String,
}

impl OwnPostgres {
    /// A new, empty one.
    pub async fn new() -> Self {
        let server = Backend::Postgres.url();
        let name = format!("own_{}", uuid::Uuid::new_v4().simple());
        postgres(&server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        Self { url: format!("{address}/{name}"), name }
    }

    /// Removes it, whoever is still connected.
    pub async fn end(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        postgres(&Backend::Postgres.url()).await.batch_execute(&drop).await.unwrap();
    }
}

async fn postgres(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
