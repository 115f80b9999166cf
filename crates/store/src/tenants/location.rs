//! Where a tenant's database is, and the pools of the servers it may be on.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use url::Url;

use super::TenantRecord;
use crate::{
    Database, Error, Result, SqliteConfig,
    database::Engine,
    mariadb::{self, Mariadb},
    postgres::{self, Postgres},
    sqlite::Sqlite,
};

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite { file: PathBuf, create: bool },
    Postgres { server: String, schema: String, create: bool },
    Mariadb { server: String, database: String, create: bool },
}

impl Location {
    /// The tenant's database: an adopted one, or one of its own in its home. `setting` is where new tenants live now; it
    /// says how a server is reached, and never moves a tenant.
    pub(crate) fn choose(record: &TenantRecord, adopted: Option<&str>, setting: &str) -> Result<Self> {
        if let Some(url) = adopted {
            return Self::existing(url);
        }
        if record.home == "sqlite" {
            return Ok(Self::Sqlite { file: record.tenant.folder.join("insula.db"), create: true });
        }
        if record.home != home(setting)? {
            return Err(away(record));
        }
        Self::own(setting, &format!("insula_{}", record.tenant.name.replace('-', "_")))
    }

    /// A second database for Insula's own tables. On a server they get a schema or database named after the tenant.
    pub(crate) fn system(record: &TenantRecord, url: &str) -> Result<Self> {
        if let Some(Self::Sqlite { file, .. }) = url.starts_with("sqlite:").then(|| Self::existing(url)).transpose()? {
            let create = !file.exists();
            return Ok(Self::Sqlite { file, create });
        }
        Self::own(url, &format!("insula_{}_system", record.tenant.name.replace('-', "_")))
    }

    /// A schema or database with a name of its own on a server, made where it is missing.
    pub(crate) fn own(url: &str, name: &str) -> Result<Self> {
        let parsed = parse(url)?;
        match parsed.scheme() {
            "postgres" | "postgresql" => {
                Ok(Self::Postgres { server: url.to_owned(), schema: name.to_owned(), create: true })
            }
            "mysql" | "mariadb" => {
                Ok(Self::Mariadb { server: server_of(parsed), database: name.to_owned(), create: true })
            }
            _ => Err(unusable(url)),
        }
    }

    /// A database that is there already: `postgres://…/db?schema=public`, `mysql://…/db`, `sqlite:///path/file.db`.
    pub(crate) fn existing(url: &str) -> Result<Self> {
        let mut parsed = parse(url)?;
        match parsed.scheme() {
            "sqlite" => Ok(Self::Sqlite { file: PathBuf::from(parsed.path()), create: false }),
            "postgres" | "postgresql" => {
                let schema = parsed.query_pairs().find(|(key, _)| key == "schema").map(|(_, value)| value.into_owned());
                let rest: Vec<_> = parsed.query_pairs().into_owned().filter(|(key, _)| key != "schema").collect();
                parsed.set_query(None);
                if !rest.is_empty() {
                    parsed.query_pairs_mut().extend_pairs(rest);
                }
                let schema = schema.unwrap_or_else(|| "public".to_owned());
                Ok(Self::Postgres { server: parsed.into(), schema, create: false })
            }
            "mysql" | "mariadb" => {
                let database = parsed.path().trim_start_matches('/').to_owned();
                if database.is_empty() {
                    return Err(unusable(url));
                }
                Ok(Self::Mariadb { server: server_of(parsed), database, create: false })
            }
            _ => Err(unusable(url)),
        }
    }

    /// The same place, where nothing is made that is not there.
    pub(crate) fn without_making(mut self) -> Self {
        let (Self::Sqlite { create, .. } | Self::Postgres { create, .. } | Self::Mariadb { create, .. }) = &mut self;
        *create = false;
        self
    }

    /// Opens the database.
    pub(crate) async fn open(&self, servers: &Servers, sqlite: SqliteConfig) -> Result<Database> {
        let engine = match self {
            Self::Sqlite { file, create } => {
                if !create && !file.is_file() {
                    return Err(missing(file));
                }
                let (sqlite, schema) = Sqlite::open(file, sqlite).await?;
                return Ok(Database::with(Engine::Sqlite(sqlite), schema));
            }
            Self::Postgres { server, schema, create } => {
                Engine::Postgres(Postgres::open(servers.postgres(server)?, schema, *create).await?)
            }
            Self::Mariadb { server, database, create } => {
                Engine::Mariadb(Mariadb::open(servers.mariadb(server)?, database, *create).await?)
            }
        };
        Database::open(engine).await
    }

    /// Whether Insula makes it, and so may remove it. An adopted database is never removed.
    pub(crate) fn is_made(&self) -> bool {
        match self {
            Self::Sqlite { create, .. } | Self::Postgres { create, .. } | Self::Mariadb { create, .. } => *create,
        }
    }

    /// The schema or database on a server.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Postgres { schema: name, .. } | Self::Mariadb { database: name, .. } => Some(name),
        }
    }

    /// Makes sure that its server answers, where it is on one. Errors: 503.
    pub(crate) async fn reach(&self, servers: &Servers) -> Result<()> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { server, .. } => postgres::connect(&servers.postgres(server)?).await.map(drop),
            Self::Mariadb { server, .. } => mariadb::connect(&servers.mariadb(server)?).await.map(drop),
        }
    }

    /// Removes the database with all that is in it; never one with a list of tenants.
    pub(crate) async fn destroy(&self, servers: &Servers) -> Result<()> {
        match self {
            Self::Sqlite { file, .. } => {
                for ending in ["", "-wal", "-shm"] {
                    let mut path = file.clone().into_os_string();
                    path.push(ending);
                    match std::fs::remove_file(path) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(Error::Unavailable(error.into()));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            Self::Postgres { server, schema, .. } => Postgres::destroy(&servers.postgres(server)?, schema).await,
            Self::Mariadb { server, database, .. } => Mariadb::destroy(&servers.mariadb(server)?, database).await,
        }
    }
}

/// What of a setting tells one place from another: `sqlite`, or a server and its database without credentials.
pub(crate) fn home(setting: &str) -> Result<String> {
    if setting == "sqlite" {
        return Ok(setting.to_owned());
    }
    let url = parse(setting)?;
    let scheme = if url.scheme().starts_with("postgres") { "postgres" } else { "mysql" };
    let database = if scheme == "postgres" { url.path() } else { "/" };
    let port = url.port().unwrap_or(if scheme == "postgres" { 5432 } else { 3306 });
    Ok(format!("{scheme}://{}:{port}{database}", url.host_str().unwrap_or("localhost")))
}

fn away(record: &TenantRecord) -> Error {
    Error::Unavailable(
        format!("tenant {} lives at {}; store.database leads elsewhere", record.tenant.name, record.home).into(),
    )
}

fn missing(file: &Path) -> Error {
    let message = format!("There is no SQLite database {}", file.display());
    Error::Refused(kernel::Error::new(kernel::Reason::FieldInvalid, message).at("database"))
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|_| unusable(url))
}

/// The URL itself may hold a password, so that it is not repeated.
fn unusable(url: &str) -> Error {
    let scheme = url.split(':').next().unwrap_or_default();
    let message = format!(
        "A database URL begins with postgres://, mysql:// or sqlite:// and names a database; this one begins with {:?}",
        scheme.chars().take(20).collect::<String>()
    );
    Error::Refused(kernel::Error::new(kernel::Reason::FieldInvalid, message).at("database"))
}

/// A MariaDB URL without its database, so that all tenants of the server share one pool.
fn server_of(mut url: Url) -> String {
    url.set_path("/");
    // A scheme that the driver does not know by this name.
    let text: String = url.into();
    text.replacen("mariadb://", "mysql://", 1)
}

/// The pools of all servers in use, one a URL.
pub(crate) struct Servers {
    connections: usize,
    postgres: Mutex<HashMap<String, deadpool_postgres::Pool>>,
    mariadb: Mutex<HashMap<String, mysql_async::Pool>>,
}

impl Servers {
    pub(crate) fn new(connections: usize) -> Self {
        Self { connections, postgres: Mutex::default(), mariadb: Mutex::default() }
    }

    pub(super) fn postgres(&self, url: &str) -> Result<deadpool_postgres::Pool> {
        get_or_make(&self.postgres, url, |url| postgres::pool(url, self.connections))
    }

    pub(super) fn mariadb(&self, url: &str) -> Result<mysql_async::Pool> {
        get_or_make(&self.mariadb, url, |url| mariadb::pool(url, self.connections))
    }
}

fn get_or_make<P: Clone>(
    pools: &Mutex<HashMap<String, P>>,
    url: &str,
    make: impl FnOnce(&str) -> Result<P>,
) -> Result<P> {
    let mut pools = pools.lock();
    if let Some(pool) = pools.get(url) {
        return Ok(pool.clone());
    }
    let pool = make(url)?;
    pools.insert(url.to_owned(), pool.clone());
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::{Location, home};
    use proptest::prelude::*;

    #[test]
    fn urls_of_existing_databases_are_taken_apart() {
        let location = Location::existing("postgres://u:p@h:1/db?schema=sales&sslmode=disable").unwrap();
        let expected = "postgres://u:p@h:1/db?sslmode=disable".to_owned();
        assert_eq!(location, Location::Postgres { server: expected, schema: "sales".into(), create: false });
        let location = Location::existing("mariadb://u:p@h:1/shop").unwrap();
        let expected = Location::Mariadb { server: "mysql://u:p@h:1/".into(), database: "shop".into(), create: false };
        assert_eq!(location, expected);
        for bad in ["", "mysql://h/", "oracle://h/x", "nothing"] {
            assert!(Location::existing(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_home_is_a_place_whatever_the_password() {
        let same = ["postgres://a:b@h/db", "postgresql://c:d@h:5432/db?sslmode=disable"].map(|url| home(url).unwrap());
        assert_eq!(same, ["postgres://h:5432/db", "postgres://h:5432/db"]);
        assert_eq!(home("mariadb://u:p@h/").unwrap(), "mysql://h:3306/");
        assert_eq!(home("sqlite").unwrap(), "sqlite");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = home(&text);
            let _ = Location::existing(&text);
            let _ = Location::own(&text, "x");
        }
    }
}
