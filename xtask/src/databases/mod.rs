//! Throw-away PostgreSQL and MariaDB servers: own folders, free loopback ports, gone at the end.

mod account;
mod mariadb;
mod postgres;
mod server;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use self::{account::Account, server::Server};
use crate::{interrupt, packages, progress};

/// What `cargo xtask databases` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also write the two export lines to this file; it is removed at the end.
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
}

/// Both servers, running. Dropping this ends them and removes their folders.
pub(crate) struct Databases {
    postgres_url: String,
    mariadb_url: String,
    // Fields are dropped in this order: the servers end before their folder goes.
    _servers: [Server; 2],
    _folder: TempDir,
}

impl Databases {
    /// Brings both servers up, installing their programs where they are missing.
    pub(crate) fn start() -> Result<Self> {
        let programs = packages::programs()?;
        progress::step("Bringing up PostgreSQL and MariaDB", || {
            let folder = tempfile::Builder::new().prefix("insula-databases-").tempdir()?;
            // The servers may run as other users, who need to get to their folders inside.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
            let password = password()?;
            let postgres = postgres::Postgres::new(&programs, folder.path(), Account::other_than_root()?)?;
            let mariadb = mariadb::MariaDb::new(&programs, folder.path())?;
            thread::scope(|scope| {
                let other = scope.spawn(|| mariadb.prepare(&password));
                postgres.prepare(&password)?;
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
            // Started by this thread, not by those above: Linux ends the servers with the thread that started them.
            let (postgres_port, mariadb_port) = (free_port()?, free_port()?);
            let mut servers = [postgres.start(postgres_port)?, mariadb.start(mariadb_port)?];
            servers[0].wait_until(|| postgres.is_ready())?;
            servers[1].wait_until(|| mariadb::is_ready(mariadb_port))?;
            Ok(Self {
                postgres_url: format!("postgres://insula:{password}@127.0.0.1:{postgres_port}/insula"),
                mariadb_url: format!("mysql://insula:{password}@127.0.0.1:{mariadb_port}/"),
                _servers: servers,
                _folder: folder,
            })
        })
    }

    /// The environment variables by which the tests find the servers.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 2] {
        [("INSULA_TEST_POSTGRES_URL", &self.postgres_url), ("INSULA_TEST_MARIADB_URL", &self.mariadb_url)]
    }
}

/// `cargo xtask databases`: both servers, until somebody has had enough of them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let databases = Databases::start()?;
    let lines = databases.environment().map(|(name, value)| format!("export {name}='{value}'\n")).concat();
    print!("{lines}");
    if let Some(path) = &options.env_file {
        write_private(path, &lines).with_context(|| format!("Cannot write {}", path.display()))?;
    }
    progress::say("Ready. Ctrl-C stops both servers and removes their data.");
    wait();
    if let Some(path) = &options.env_file {
        fs::remove_file(path).with_context(|| format!("Cannot remove {}", path.display()))?;
    }
    progress::say("Stopping both servers.");
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Waits for a signal, or for the end of standard input where that is a pipe that somebody holds.
fn wait() {
    let (closed, watch) = mpsc::channel::<()>();
    let piped = fs::metadata("/dev/stdin").is_ok_and(|stdin| stdin.file_type().is_fifo());
    let _keep = if piped {
        thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            drop(closed);
        });
        None
    } else {
        Some(closed)
    };
    while !interrupt::asked() && watch.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {}
}

/// A port of the loopback address that nobody uses at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// 128 random bits in hexadecimal digits, so that no quoting is ever needed.
fn password() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("Cannot read random bytes")?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
