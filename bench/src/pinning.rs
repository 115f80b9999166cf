//! Servers and driver apart: a core for the driver, the others for the servers. Only where there are cores for it.

use std::sync::OnceLock;

use anyhow::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// From so many cores on they are kept apart; with fewer, a server that has one core less is another server.
const CORES: usize = 4;

/// The cores of the driver and those of the servers; none where they share all.
fn apart() -> Option<(CpuSet, CpuSet)> {
    split(&given()?)
}

/// What this process was given at its start; none where the system does not tell.
fn given() -> Option<CpuSet> {
    static GIVEN: OnceLock<Option<CpuSet>> = OnceLock::new();
    *GIVEN.get_or_init(|| sched_getaffinity(None).ok())
}

/// How many cores this process was given.
pub(crate) fn cores() -> usize {
    given().map_or(1, |cores| cores.count() as usize)
}

fn split(all: &CpuSet) -> Option<(CpuSet, CpuSet)> {
    if (all.count() as usize) < CORES {
        return None;
    }
    let last = (0..CpuSet::MAX_CPU).rev().find(|&core| all.is_set(core))?;
    let (mut driver, mut servers) = (CpuSet::new(), *all);
    driver.set(last);
    servers.unset(last);
    Some((driver, servers))
}

/// Keeps the driver on a core of its own, where there are enough of them.
pub(crate) fn begin() -> Result<()> {
    if let Some((driver, _)) = apart() {
        sched_setaffinity(None, &driver)?;
    }
    Ok(())
}

/// Whether driver and servers are kept apart.
pub(crate) fn is_apart() -> bool {
    apart().is_some()
}

/// Starts a child that has the servers' cores: it inherits those of the thread that starts it.
pub(crate) fn as_a_server<T>(start: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let Some((driver, servers)) = apart() else { return start() };
    sched_setaffinity(None, &servers)?;
    let started = start();
    sched_setaffinity(None, &driver)?;
    started
}

#[cfg(test)]
mod tests {
    use super::split;
    use rustix::thread::CpuSet;

    #[test]
    fn the_driver_gets_the_last_core_of_four_and_shares_three() {
        let mut cores = CpuSet::new();
        for core in [1, 3, 5] {
            cores.set(core);
        }
        assert!(split(&cores).is_none());
        cores.set(9);
        let (driver, servers) = split(&cores).unwrap();
        assert!(driver.is_set(9) && driver.count() == 1);
        assert!(!servers.is_set(9) && servers.count() == 3);
    }
}
