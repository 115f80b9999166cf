//! One process at a time makes or removes tenants.

use std::{
    fs::{File, TryLockError},
    time::Duration,
};

use deadpool_postgres::{ClientWrapper, Object};
use kernel::{Error, Reason};
use mysql_async::{Conn, prelude::Queryable};
use tokio::time::{Instant, sleep};

use super::{Location, Servers};
use crate::{Result, mariadb, postgres};

/// How long a process waits for another one that makes or removes a tenant.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// The lock's number in the database of the list on PostgreSQL: "insula" as bytes.
const NUMBER: i64 = 0x696e_7375_6c61;
/// The lock's name on a MariaDB server, which has one list of tenants.
const NAME: &str = "insula_control.tenants";

/// By these the servers notice within minutes that a machine has gone without a word, and with it who had the lock.
const POSTGRES: &str = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";
const MARIADB: &str = "SET SESSION wait_timeout = 300";

/// The right to make and remove tenants, which one of all the processes that share a list of tenants has at a time. It
/// ends with its file or connection, and so with the process at the latest.
pub(super) enum Turn {
    File(File),
    Postgres(ClientWrapper),
    Mariadb(Conn),
}

impl Turn {
    /// Takes it beside the list of tenants, and waits for whoever has it.
    ///
    /// Errors: 409 `conflict` where another process has it for too long; 503.
    pub(super) async fn take(control: &Location, servers: &Servers) -> kernel::Result<Self> {
        let mut turn = Self::prepare(control, servers).await?;
        let latest = Instant::now() + PATIENCE;
        while !turn.try_take().await? {
            if Instant::now() > latest {
                let message = "Another process is making or removing a tenant; try again when it is done";
                return Err(Error::new(Reason::Conflict, message));
            }
            sleep(PAUSE).await;
        }
        Ok(turn)
    }

    async fn prepare(control: &Location, servers: &Servers) -> Result<Self> {
        Ok(match control {
            Location::Sqlite { file, .. } => {
                let file = File::options().create(true).append(true).open(file.with_extension("lock"));
                Self::File(file.map_err(|error| crate::Error::Unavailable(error.into()))?)
            }
            // Neither connection returns to its pool: the lock is a state of it.
            Location::Postgres { server, .. } => {
                let client = Object::take(postgres::connect(&servers.postgres(server)?).await?);
                client.batch_execute(POSTGRES).await.map_err(postgres::map_error)?;
                Self::Postgres(client)
            }
            Location::Mariadb { server, .. } => {
                let mut connection = mariadb::connect_alone(&servers.mariadb(server)?).await?;
                connection.query_drop(MARIADB).await.map_err(mariadb::map_error)?;
                Self::Mariadb(connection)
            }
        })
    }

    async fn try_take(&mut self) -> Result<bool> {
        match self {
            Self::File(file) => match file.try_lock() {
                Ok(()) => Ok(true),
                Err(TryLockError::WouldBlock) => Ok(false),
                Err(TryLockError::Error(error)) => Err(crate::Error::Unavailable(error.into())),
            },
            Self::Postgres(client) => {
                let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&NUMBER]).await;
                Ok(row.map_err(postgres::map_error)?.get(0))
            }
            Self::Mariadb(connection) => {
                let taken = connection.query_first(format!("SELECT GET_LOCK('{NAME}', 0)")).await;
                Ok(taken.map_err(mariadb::map_error)? == Some(1_i64))
            }
        }
    }

    /// Makes sure that it was not lost with its connection. Errors: 503.
    pub(super) async fn confirm(&mut self) -> Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Postgres(client) => client.batch_execute("SELECT 1").await.map_err(postgres::map_error),
            Self::Mariadb(connection) => connection.query_drop("SELECT 1").await.map_err(mariadb::map_error),
        }
    }

    /// Gives it up at once. Whoever drops it instead gives it up a moment later.
    pub(super) async fn end(self) {
        match self {
            Self::File(file) => drop(file),
            Self::Postgres(client) => {
                let _ = client.query_one("SELECT pg_advisory_unlock($1)", &[&NUMBER]).await;
            }
            Self::Mariadb(connection) => {
                let _ = connection.disconnect().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use testkit::{Backend, on_all_databases};
    use tokio::time::timeout;

    use super::{Location, Servers, Turn};

    on_all_databases!(one_has_it_until_it_ends);

    async fn one_has_it_until_it_ends(backend: Backend) {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Servers::new(1), Servers::new(1));
        let control = match backend {
            Backend::Sqlite => Location::Sqlite { file: folder.path().join("control.db"), create: true },
            Backend::Postgres | Backend::Mariadb => Location::own(&backend.url(), "insula_control").unwrap(),
        };
        let mut first = Turn::take(&control, &one).await.unwrap();
        first.confirm().await.unwrap();
        let waiting = timeout(Duration::from_millis(300), Turn::take(&control, &two)).await;
        assert!(waiting.is_err(), "two have it");
        first.end().await;
        let second = Turn::take(&control, &two).await.unwrap();
        // As when a process ends in the middle.
        drop(second);
        Turn::take(&control, &one).await.unwrap().end().await;
    }
}
