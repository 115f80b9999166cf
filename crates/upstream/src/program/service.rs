//! A program behind an endpoint.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use kernel::{Error, Reason, Result};
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, oneshot};

use super::{config::ProgramConfig, outcome, run};
use crate::launcher::{Limits, Order};

/// Contexts as long as this, in bytes, are no argument: the system takes none of more than 128 KiB.
const LONGEST_ARGUMENT: usize = 64 << 10;

/// Files that even a small program needs open at once.
const FEWEST_FILES: u32 = 8;

/// A program behind an endpoint. It keeps count of its runs, so that there should be one value for an endpoint.
pub struct ProgramUpstream {
    config: ProgramConfig,
    launcher: PathBuf,
    turns: Arc<Semaphore>,
}

impl ProgramUpstream {
    /// Checks the configuration; whether the program is there shows when it is run.
    ///
    /// Errors: the field, and what is wrong with it.
    pub fn new(config: &ProgramConfig) -> Result<Self, (String, String)> {
        check(config).map_err(|(field, problem)| (field.to_owned(), problem.to_owned()))?;
        Ok(Self {
            config: config.clone(),
            launcher: crate::launcher::OWN_BINARY.into(),
            turns: Arc::new(Semaphore::new((config.max_concurrent as usize).min(Semaphore::MAX_PERMITS))),
        })
    }

    /// Uses another binary with the subcommand [`crate::launcher::SUBCOMMAND`] than the one that runs, for tests.
    #[must_use]
    pub fn launched_by(mut self, binary: PathBuf) -> Self {
        self.launcher = binary;
        self
    }

    /// Runs the program with the context on its standard input. What it prints is JSON or becomes `{"output": "…"}`.
    /// When the caller goes away, so does the program, with all that it started.
    ///
    /// Errors: 502 `program_failed`, 502 `upstream_invalid`, 504 `upstream_timeout`, 503 `busy`.
    pub async fn run(&self, context: Bytes, request_id: &str) -> Result<Box<RawValue>> {
        let turn = Arc::clone(&self.turns).try_acquire_owned().map_err(|_| {
            let message = "Too many runs of the program behind the endpoint are going on";
            Error::new(Reason::Busy, message).retry_after(1)
        })?;
        let job = run::Job {
            order: self.order(&context)?,
            context,
            launcher: self.launcher.clone(),
            timeout: self.config.timeout,
            max_output: self.config.max_output_size,
            turn,
        };
        // The job outlives a caller that goes away, until nothing is left of the program.
        let (tell, told) = oneshot::channel();
        tokio::spawn(job.go(tell));
        let ran = told.await.map_err(Error::internal)?;
        outcome::judge(ran, &self.config, request_id).await
    }

    fn order(&self, context: &Bytes) -> Result<Order> {
        let config = &self.config;
        let mut command = config.command.clone();
        if config.context_as_argument && context.len() < LONGEST_ARGUMENT {
            command.push(String::from_utf8(context.to_vec()).map_err(Error::internal)?);
        }
        Ok(Order {
            command,
            directory: config.working_directory.clone().unwrap_or_else(|| "/".into()),
            environment: config.environment.clone(),
            context: context.len() as u64,
            limits: Limits {
                cpu: config.cpu_time.0.as_millis() as u64,
                memory: config.memory.0,
                file: config.max_file_size.0,
                processes: config.max_processes,
                open_files: config.max_open_files,
            },
        })
    }
}

fn check(config: &ProgramConfig) -> Result<(), (&'static str, &'static str)> {
    let ensure = |holds: bool, field, problem| if holds { Ok(()) } else { Err((field, problem)) };
    let whole = |text: &String| !text.contains('\0');
    let named = |name: &String| !name.is_empty() && !name.contains('=') && whole(name);
    let program = config.command.first().map(Path::new);
    ensure(program.is_some_and(Path::is_absolute), "command", "it must begin with the absolute path of a program")?;
    ensure(config.command.iter().all(whole), "command", "it must be without NUL")?;
    let directory = config.working_directory.as_deref();
    ensure(directory.is_none_or(Path::is_absolute), "working_directory", "it must be an absolute path")?;
    ensure(config.environment.keys().all(named), "environment", "a name must not be empty or hold = or NUL")?;
    ensure(config.environment.values().all(whole), "environment", "a value must be without NUL")?;
    ensure(!config.timeout.0.is_zero(), "timeout", "it must be longer than 0")?;
    ensure(!config.cpu_time.0.is_zero(), "cpu_time", "it must be longer than 0")?;
    ensure(config.memory.0 > 0, "memory", "it must be more than 0")?;
    ensure(config.max_processes > 0, "max_processes", "it must be 1 or more")?;
    ensure(config.max_open_files >= FEWEST_FILES, "max_open_files", "it must be 8 or more")?;
    ensure(config.max_concurrent > 0, "max_concurrent", "it must be 1 or more")
}

#[cfg(test)]
mod tests {
    use super::{ProgramConfig, ProgramUpstream};

    #[test]
    fn what_cannot_run_is_refused_with_its_field() {
        for (toml, field) in [
            ("", "command"),
            ("command = []", "command"),
            ("command = ['sort']", "command"),
            ("command = ['/bin/sort', \"a\\u0000\"]", "command"),
            ("command = ['/a']\nworking_directory = 'b'", "working_directory"),
            ("command = ['/a']\nenvironment = { 'A=B' = 'c' }", "environment"),
            ("command = ['/a']\nenvironment = { A = \"\\u0000\" }", "environment"),
            ("command = ['/a']\ntimeout = '0s'", "timeout"),
            ("command = ['/a']\ncpu_time = '0s'", "cpu_time"),
            ("command = ['/a']\nmemory = '0B'", "memory"),
            ("command = ['/a']\nmax_processes = 0", "max_processes"),
            ("command = ['/a']\nmax_open_files = 3", "max_open_files"),
            ("command = ['/a']\nmax_concurrent = 0", "max_concurrent"),
        ] {
            let config: ProgramConfig = toml::from_str(toml).unwrap();
            assert_eq!(ProgramUpstream::new(&config).err().map(|(field, _)| field).as_deref(), Some(field), "{toml}");
        }
        assert!(toml::from_str::<ProgramConfig>("command = ['/a']\nshell = true").is_err());
    }
}
