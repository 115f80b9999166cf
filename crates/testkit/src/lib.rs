//! What all test suites share: the three databases, and stories that are told on each of them.

/// The database a story runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// The server that `INSULA_TEST_POSTGRES_URL` names.
    Postgres,
    /// The server that `INSULA_TEST_MARIADB_URL` names.
    Mariadb,
}

impl Backend {
    /// The `store.database` setting with which new tenants live on it.
    ///
    /// # Panics
    /// Where the server is not named: `cargo xtask test` brings it up.
    pub fn url(self) -> String {
        let server = |name| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests by `cargo xtask test`"))
        };
        match self {
            Self::Sqlite => "sqlite".to_owned(),
            Self::Postgres => server("INSULA_TEST_POSTGRES_URL"),
            Self::Mariadb => server("INSULA_TEST_MARIADB_URL"),
        }
    }

    /// SQL in the words of the database. `SERIAL` stands for a key that counts itself up, `MOMENT`, `DATE_TIME` and
    /// `BYTES` for the types of those kinds.
    pub fn spelled(self, sql: &str) -> String {
        let (serial, moment, date_time, bytes) = match self {
            Self::Sqlite => ("INTEGER PRIMARY KEY", "TIMESTAMP", "DATETIME", "BLOB"),
            Self::Postgres => ("BIGSERIAL PRIMARY KEY", "TIMESTAMPTZ", "TIMESTAMP", "BYTEA"),
            Self::Mariadb => ("BIGINT AUTO_INCREMENT PRIMARY KEY", "TIMESTAMP(6) NULL", "DATETIME(6)", "LONGBLOB"),
        };
        sql.replace("SERIAL", serial).replace("MOMENT", moment).replace("DATE_TIME", date_time).replace("BYTES", bytes)
    }
}

/// Makes three tests of each story `async fn story(backend: Backend)`, one a database.
#[macro_export]
macro_rules! on_all_databases {
    ($($story:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story($crate::Backend::Sqlite).await; })* }
        mod postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story($crate::Backend::Postgres).await; })* }
        mod mariadb { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story($crate::Backend::Mariadb).await; })* }
    };
}
