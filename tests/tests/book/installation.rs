//! Servers for the examples: copies of one demonstration, each for a session alone.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

/// The data folder of a demonstration that nobody has used yet.
pub(crate) struct Demonstration(TempDir);

impl Demonstration {
    /// Makes it.
    pub(crate) fn prepare(program: &Path) -> Self {
        crate::program::require("bash");
        crate::program::require("curl");
        let folder = tempfile::tempdir().unwrap();
        drop(Server::start(program, &folder.path().join("data")));
        Self(folder)
    }

    /// Puts a copy into a folder.
    pub(crate) fn copy_to(&self, folder: &Path) {
        copy(&self.0.path().join("data"), folder);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A running server. It is ended when it is dropped.
pub(crate) struct Server {
    process: Child,
    /// Where it listens, and its accounts.
    pub(crate) ready: Json,
}

impl Server {
    /// Serves the demonstration in a data folder.
    pub(crate) fn start(program: &Path, data: &Path) -> Self {
        let file = data.with_extension("ready");
        let _ = fs::remove_file(&file);
        let mut command = Command::new(program);
        command.args(["serve", "--demo", "--listen", "0", "--data"]).arg(data).arg("--ready-file").arg(&file);
        command.env("INSULA_SERVER__RATE_LIMIT__ENABLED", "false").env("INSULA_LOG__LEVEL", "warn");
        let mut process = command.current_dir(data.parent().unwrap()).stdout(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&file) {
                return Self { process, ready: serde_json::from_str(&text).unwrap() };
            }
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "insula serve --demo does not listen: {ended:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // By SIGTERM, so that nothing is left open in the folder.
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if id.is_none_or(|id| kill_process(id, Signal::TERM).is_err()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// A port that is free at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
