//! The built program, as people and scripts run it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;
use testkit::Backend;

use crate::{Client, until};

/// The program on a data folder of its own, whose tenants live on one of the databases.
pub struct Program {
    /// The folder that it runs in; `data` in it is the data folder.
    pub folder: TempDir,
    /// Where its tenants live.
    pub backend: Backend,
    /// Its first tenant, whose domain is the name and `.test`.
    pub tenant: String,
    /// The program's file.
    pub binary: PathBuf,
    settings: Vec<(String, String)>,
}

/// The password of everyone whom [`Program::user`] makes.
const PASSWORD: &str = "correct horse battery";

impl Program {
    /// Nothing is there yet. Limits on the rate are off and passwords cost little.
    pub fn new(backend: Backend) -> Self {
        let tenant = format!("t{}", uuid::Uuid::new_v4().simple()).chars().take(20).collect();
        let settings = [
            ("INSULA_STORE__DATABASE", backend.url().as_str()),
            ("INSULA_SERVER__RATE_LIMIT__ENABLED", "false"),
            ("INSULA_IDENTITY__PASSWORD_MEMORY", "1MB"),
            ("INSULA_IDENTITY__PASSWORD_PASSES", "1"),
            ("INSULA_LOG__LEVEL", "warn"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { folder: tempfile::tempdir().unwrap(), backend, tenant, binary: program(), settings: settings.into() }
    }

    /// With its first tenant and the administrator `admin`.
    pub fn initialised(backend: Backend) -> Self {
        let program = Self::new(backend);
        let domain = format!("{}.test", program.tenant);
        program.ok(&["init", "--name", &program.tenant, "--domain", &domain]);
        program
    }

    /// The same with one more setting, as a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into its folder and gives its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A command that is not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env_clear().env("INSULA_DATA", self.path("data")).envs(self.settings.iter().cloned());
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that succeeds; what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that succeeds; what it printed for programs.
    pub fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs a command that fails; its exit code and what it said on standard error.
    pub fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Makes tables in the first tenant; see [`Backend::spelled`].
    pub fn tables(&self, sql: &str) {
        let folder = self.path("data/tenants").join(&self.tenant).join("migrations");
        let number = std::fs::read_dir(&folder).map_or(0, Iterator::count) + 1;
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{number:04}_tables.sql")), self.backend.spelled(sql)).unwrap();
        self.ok(&["migrate"]);
    }

    /// Makes a user of a tenant in a group.
    pub fn user(&self, tenant: &str, username: &str, group: &str) {
        let password = self.file("password", PASSWORD);
        let user = ["user", "create", username, "--group", group, "--password-file", &password, "--tenant", tenant];
        self.ok(&user);
    }

    /// Serves, and returns once it listens.
    pub async fn serve(&self) -> Serving {
        self.serve_by(&mut self.command(&["serve", "--listen", "127.0.0.1:0"])).await
    }

    /// The same by a command of one's own.
    pub async fn serve_by(&self, command: &mut Command) -> Serving {
        let ready = self.path("ready.json");
        let _ = std::fs::remove_file(&ready);
        let child = command.arg("--ready-file").arg(&ready).stdout(Stdio::null()).spawn().unwrap();
        let mut serving = Serving { child, url: String::new() };
        until("the server listens", Duration::from_secs(20), async || {
            if let Some(status) = serving.child.try_wait().unwrap() {
                panic!("the server ended: {status}");
            }
            ready.exists()
        })
        .await;
        let text: Json = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        text["url"].as_str().unwrap().clone_into(&mut serving.url);
        serving
    }

    /// Removes all tenants with their databases, the first one last.
    pub fn end(self) {
        let mut tenants = self.json(&["tenant", "list"]).as_array().unwrap().clone();
        tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant["number"].as_i64()));
        for tenant in &tenants {
            self.ok(&["tenant", "delete", tenant["name"].as_str().unwrap(), "--yes"]);
        }
    }
}

/// The program as a server. It is killed when this is dropped.
pub struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    /// A caller without a credential, at the server's address.
    pub fn anonymous(&self) -> Client {
        Client::of(&self.url)
    }

    /// A caller with a session of a user of [`Program::user`], at the host of a tenant.
    pub async fn user(&self, tenant: &str, username: &str) -> Client {
        self.anonymous().at_host(format!("api.{tenant}.test")).log_in(username, PASSWORD).await
    }

    /// The address, `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Ends it as the system does that is out of memory: at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> ExitStatus {
        let mut status = None;
        until("the server ends", Duration::from_secs(20), async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: the one that `INSULA_BIN` names, else the one that was built beside this test.
fn program() -> PathBuf {
    let named = std::env::var_os("INSULA_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let test = std::env::current_exe().unwrap();
        let beside = test.parent().and_then(Path::parent).unwrap().join("insula");
        assert!(beside.is_file(), "{} is not built; run the tests by `cargo xtask test`", beside.display());
        beside
    })
}
