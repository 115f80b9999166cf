//! Scripts to run, and a look at what is left of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kernel::{Error, Reason};
use serde_json::Value;
use tempfile::TempDir;
use upstream::{ProgramConfig, ProgramUpstream};

/// A script in a folder of its own, whose path is in the arguments of all that it starts.
pub(crate) struct Script {
    folder: TempDir,
    pub(crate) config: ProgramConfig,
}

impl Script {
    pub(crate) fn new(interpreter: &str, text: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            tempfile::Builder::new().prefix(&format!("upstream-{}-{number}-", std::process::id())).tempdir().unwrap();
        let file = folder.path().join("script");
        fs::write(&file, format!("#!{interpreter}\n{text}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        // Sleeps under a name by which it is found.
        std::os::unix::fs::symlink("/bin/sleep", folder.path().join("nap")).unwrap();
        let command = vec![file.to_str().unwrap().to_owned(), folder.path().to_str().unwrap().to_owned()];
        Self { folder, config: ProgramConfig { command, ..ProgramConfig::default() } }
    }

    pub(crate) fn shell(text: &str) -> Self {
        Self::new("/bin/sh", text)
    }

    pub(crate) fn python(text: &str) -> Self {
        let python = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|path| fs::exists(path).unwrap());
        Self::new(python.expect("Python 3 must be installed"), text)
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut ProgramConfig)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn upstream(&self) -> ProgramUpstream {
        ProgramUpstream::new(&self.config).unwrap().launched_by(env!("CARGO_BIN_EXE_upstream-launcher").into())
    }

    pub(crate) async fn run(&self, context: &str) -> Result<Value, Error> {
        let printed = self.upstream().run(Bytes::copy_from_slice(context.as_bytes()), "1").await?;
        Ok(serde_json::from_str(printed.get()).unwrap())
    }

    /// The reason of the failure, its message, and how long it took.
    pub(crate) async fn fails(&self) -> (Reason, String, Duration) {
        let begin = Instant::now();
        let error = self.run("{}").await.unwrap_err();
        (error.reason, error.message, begin.elapsed())
    }

    /// The processes that have the script's folder in their arguments.
    pub(crate) fn left(&self) -> Vec<String> {
        let mark = self.folder.path().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.contains(mark)).collect()
    }

    /// Waits until nothing is left, which the server does not make callers wait for.
    pub(crate) async fn is_gone(&self) {
        let begin = Instant::now();
        while !self.left().is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(20), "left: {:?}", self.left());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many are there.
    pub(crate) async fn has_started(&self, processes: usize) {
        let begin = Instant::now();
        while self.left().len() < processes {
            assert!(begin.elapsed() < Duration::from_secs(30), "there are only: {:?}", self.left());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }
}
