//! A throw-away MariaDB server.

use std::{
    fs,
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use rustix::process::{Signal, geteuid};

use super::server::Server;
use crate::{command, packages::Programs};

/// No orderly end: what ends here is thrown away.
const STOP: (Signal, &str) = (Signal::KILL, "KILL");

/// A MariaDB server's programs and folder.
pub(crate) struct MariaDb<'a> {
    programs: &'a Programs,
    folder: PathBuf,
}

impl<'a> MariaDb<'a> {
    /// A server whose data will be in a new folder inside `parent`.
    pub(crate) fn new(programs: &'a Programs, parent: &Path) -> Result<Self> {
        let folder = parent.join("mariadb");
        fs::create_dir(&folder)?;
        Ok(Self { programs, folder })
    }

    /// Makes the data folder, and the statements that make the user `insula` at the start.
    pub(crate) fn prepare(&self, password: &str) -> Result<()> {
        let account = "'insula'@'127.0.0.1'";
        fs::write(
            self.accounts(),
            format!(
                "CREATE USER {account} IDENTIFIED BY '{password}';\n\
                 GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;\n"
            ),
        )?;
        let mut install = command::bound_to_us(&self.programs.mariadb_install_db, STOP.1);
        install.arg("--no-defaults").args(user()).args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(option("--datadir", &self.data())).current_dir(&self.folder);
        command::run_quietly(&mut install)
    }

    /// Starts the server, with as little care for a crash of the machine as can be.
    pub(crate) fn start(&self, port: u16) -> Result<Server> {
        let mut mariadbd = command::bound_to_us(&self.programs.mariadbd, STOP.1);
        mariadbd.arg("--no-defaults").args(user()).args(["--bind-address=127.0.0.1", &format!("--port={port}")]);
        mariadbd.arg(option("--datadir", &self.data())).arg(option("--init-file", &self.accounts()));
        mariadbd.arg(option("--socket", &self.folder.join("socket"))).current_dir(&self.folder);
        mariadbd.args(["--skip-name-resolve", "--max-connections=200", "--skip-log-bin", "--performance-schema=off"]);
        mariadbd.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]);
        Server::start("MariaDB", &mut mariadbd, self.folder.join("log"), STOP.0)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn accounts(&self) -> PathBuf {
        self.folder.join("accounts.sql")
    }
}

/// Whether a MariaDB server greets whoever connects; it does so only after its start-up statements have run.
pub(crate) fn is_ready(port: u16) -> bool {
    let limit = Duration::from_secs(1);
    let greeting = || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
        stream.set_read_timeout(Some(limit))?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        std::io::Result::Ok(start)
    };
    // Four bytes of length and number, then the version of the protocol; an error would begin with 255.
    greeting().is_ok_and(|start| start[4] == 10)
}

/// MariaDB wants to be told that being root is meant; anybody else cannot choose.
fn user() -> Option<&'static str> {
    geteuid().is_root().then_some("--user=root")
}

fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(name);
    option.push("=");
    option.push(path);
    option
}
