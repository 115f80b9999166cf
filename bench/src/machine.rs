//! What the numbers were measured on: without it they say nothing.

use std::{
    fmt, fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use crate::pinning;

const SYNCS: usize = 51;

/// A machine, as far as it matters.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    /// Whether the driver has a core of its own.
    pub(crate) driver_apart: bool,
    pub(crate) memory_mib: Option<u64>,
    pub(crate) kernel: Option<String>,
    pub(crate) processor: Option<String>,
    /// The median time to bring 4 KiB to the disk, in microseconds: the price of a durable commit.
    pub(crate) sync_us: u128,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, driver_apart, memory_mib, kernel, processor, sync_us } = self;
        let unknown = || "unknown".to_owned();
        let memory = memory_mib.map_or_else(unknown, |mib| mib.to_string());
        let (processor, kernel) = (processor.as_deref().unwrap_or("unknown"), kernel.as_deref().unwrap_or("unknown"));
        let driver = if *driver_apart { "one of them for the driver" } else { "shared by servers and driver" };
        write!(f, "{cores} cores ({driver}), {memory} MiB, {processor}, Linux {kernel}, 4 KiB to disk in {sync_us} µs")
    }
}

/// Describes this machine and the disk below `folder`.
pub(crate) fn describe(folder: &Path) -> Result<Machine> {
    let line = |file: &str, key: &str| {
        let text = fs::read_to_string(file).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim_start_matches([' ', '\t', ':']).to_owned()))
    };
    let memory = line("/proc/meminfo", "MemTotal").and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(Machine {
        cores: pinning::cores(),
        driver_apart: pinning::is_apart(),
        memory_mib: memory.map(|kib| kib >> 10),
        kernel: line("/proc/sys/kernel/osrelease", ""),
        processor: line("/proc/cpuinfo", "model name"),
        sync_us: sync_time(folder)?.as_micros(),
    })
}

fn sync_time(folder: &Path) -> Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = [Duration::ZERO; SYNCS];
    for time in &mut times {
        let begin = Instant::now();
        file.write_all(&[0; 4 << 10])?;
        file.sync_data()?;
        *time = begin.elapsed();
    }
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}
