//! A database server as a child process: started, waited for, ended.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::{command, interrupt};

const READY_WITHIN: Duration = Duration::from_mins(1);
const LOG_LINES: usize = 20;

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop: Signal,
}

impl Server {
    /// Starts a server that writes to `log` and ends on the signal `stop`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: PathBuf, stop: Signal) -> Result<Self> {
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self { name, child: command::spawn(command)?, log, stop })
    }

    /// Waits until the server is ready; fails with the end of its log when that never happens.
    pub(crate) fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while !ready() {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended while it was starting ({status}):\n{}", self.name, self.end_of_log());
            }
            if Instant::now() > deadline {
                bail!("{} was not ready after {READY_WITHIN:?}:\n{}", self.name, self.end_of_log());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        command::stop(&mut self.child, self.stop);
    }
}
