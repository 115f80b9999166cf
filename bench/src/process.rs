//! A server as a child process: started, asked what it used, ended.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{client::Client, http, pinning};

const READY_WITHIN: Duration = Duration::from_secs(30);
/// The kernel counts processor time in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: u64 = 100;

/// A running server. Dropping it ends it.
pub(crate) struct Process {
    child: Child,
    /// Where it tells its numbers, if it does.
    numbers: Option<SocketAddr>,
}

impl Process {
    /// Starts a server that writes a ready file, and waits for it. What it says goes to a file beside that one.
    pub(crate) fn start(command: &mut Command, ready_file: &Path) -> Result<Self> {
        // One that was started before may have left its own.
        let _ = fs::remove_file(ready_file);
        command.arg("--ready-file").arg(ready_file);
        Self::start_until(command, &ready_file.with_extension("log"), || ready_file.exists())
    }

    /// Starts a server that accepts connections when it is ready, and waits for that.
    pub(crate) fn start_at(command: &mut Command, address: SocketAddr, log: &Path) -> Result<Self> {
        Self::start_until(command, log, || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
    }

    /// Starts a server and gives it back at once.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
        let child = pinning::as_a_server(|| command.spawn());
        let child = child.with_context(|| format!("Cannot run {program}"))?;
        Ok(Self { child, numbers: None })
    }

    fn start_until(command: &mut Command, log: &Path, ready: impl Fn() -> bool) -> Result<Self> {
        let mut process = Self::spawn(command, log)?;
        let program = command.get_program().to_string_lossy();
        let deadline = Instant::now() + READY_WITHIN;
        while !ready() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{program} ended while it was starting ({status}):\n{}", fs::read_to_string(log)?);
            }
            ensure!(Instant::now() < deadline, "{program} was not ready after {READY_WITHIN:?}.");
            sleep(Duration::from_millis(5));
        }
        Ok(process)
    }

    /// Says where it tells its numbers.
    pub(crate) fn with_numbers(mut self, address: SocketAddr) -> Self {
        self.numbers = Some(address);
        self
    }

    /// Statements that it has run on its databases; none where it does not tell.
    pub(crate) async fn statements(&self) -> Option<u64> {
        let address = self.numbers?;
        let mut client = Client::connect(address).await.ok()?;
        let answer = client.send(&http::one("GET", address, "/metrics", "", "")).await.ok()?;
        statements(&answer.text())
    }

    /// Asks it to end as an operator would, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let deadline = Instant::now() + READY_WITHIN;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "A server did not end after {READY_WITHIN:?}.");
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The processor time it has used so far; none where the system does not tell.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        processor_time(&fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?)
    }

    /// The memory it holds now, in KiB; none where the system does not tell.
    pub(crate) fn memory(&self) -> Option<u64> {
        memory(&fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?, "VmRSS:")
    }

    /// Forgets the most memory it has held so far; where the system does not let us, it stays.
    pub(crate) fn forget_peak(&self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
    }

    /// The most memory it has held so far, in KiB; none where the system does not tell.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        memory(&fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?, "VmHWM:")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its folder is thrown away with it; one that has ended already cannot be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The statements among numbers in Prometheus' text format.
fn statements(numbers: &str) -> Option<u64> {
    numbers.lines().find_map(|line| line.strip_prefix("insula_database_statements_total ")?.parse().ok())
}

/// User and system time out of the form of `/proc/PID/stat`; the name in parentheses may hold anything.
fn processor_time(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// A size out of the form of `/proc/PID/status`.
fn memory(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{memory, processor_time};
    use std::time::Duration;

    #[test]
    fn the_kernels_tables_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 20";
        assert_eq!(processor_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(memory("Name:\tx\nVmRSS:\t  12344 kB\n", "VmRSS:"), Some(12_344));
        assert_eq!((processor_time(""), memory("", "VmRSS:")), (None, None));
    }
}
