//! A throw-away PostgreSQL server.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Result;
use rustix::process::Signal;

use super::{account::Account, server::Server};
use crate::{command, packages::Programs};

/// No clean-up of connections and no checkpoint: what ends here is thrown away.
const STOP: (Signal, &str) = (Signal::QUIT, "QUIT");

/// A PostgreSQL server's programs, folder and user.
pub(crate) struct Postgres<'a> {
    programs: &'a Programs,
    folder: PathBuf,
    account: Account,
}

impl<'a> Postgres<'a> {
    /// A server whose data will be in a new folder inside `parent`.
    pub(crate) fn new(programs: &'a Programs, parent: &Path, account: Account) -> Result<Self> {
        let folder = parent.join("postgres");
        fs::create_dir(&folder)?;
        account.own(&folder)?;
        Ok(Self { programs, folder, account })
    }

    /// Makes the data folder, with the user and the database `insula`.
    pub(crate) fn prepare(&self, password: &str) -> Result<()> {
        let password_file = self.folder.join("password");
        fs::write(&password_file, password)?;
        self.account.own(&password_file)?;
        let mut initdb = self.account.command(&self.programs.initdb, STOP.1);
        initdb.args(["--username=insula", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        initdb.arg("--pwfile").arg(&password_file).arg("--pgdata").arg(self.data()).current_dir(&self.folder);
        command::run_quietly(&mut initdb)?;
        fs::remove_file(password_file)?;

        let statement = self.folder.join("create.sql");
        writeln!(File::create(&statement)?, "CREATE DATABASE insula")?;
        let mut single = self.account.command(&self.programs.postgres, STOP.1);
        single.args(["--single", "-F", "-D"]).arg(self.data()).arg("postgres").current_dir(&self.folder);
        command::run_with_input(&mut single, Stdio::from(File::open(statement)?))
    }

    /// Starts the server. `fsync` is off: these data need not outlive the machine, and the tests are twice as fast.
    pub(crate) fn start(&self, port: u16) -> Result<Server> {
        let mut postgres = self.account.command(&self.programs.postgres, STOP.1);
        postgres.arg("-D").arg(self.data()).current_dir(&self.folder);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            &format!("unix_socket_directories={}", self.folder.display()),
            "max_connections=200",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "timezone=UTC",
        ] {
            postgres.args(["-c", setting]);
        }
        Server::start("PostgreSQL", &mut postgres, self.folder.join("log"), STOP.0)
    }

    /// Whether the server says so in its process file, as `pg_ctl` looks at it.
    pub(crate) fn is_ready(&self) -> bool {
        let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        state.lines().nth(7).is_some_and(|line| line.trim() == "ready")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
