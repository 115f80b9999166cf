//! The processes that descend from one.

use std::{fs, io, path::Path};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Pid, Signal, kill_process},
};

/// What a tree of processes uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) processes: u32,
    pub(super) threads: u32,
    /// Milliseconds of processor time, those of ended children included.
    pub(super) cpu: u64,
    /// Bytes that are held; what processes share is counted for each of them.
    pub(super) memory: u64,
}

/// One line of `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ended: bool,
    /// Clock ticks.
    own: u64,
    /// Clock ticks of children that ended and were waited for.
    children: u64,
    threads: u32,
    pages: u64,
}

/// Whether the kernel tells the children of processes at all.
pub(super) fn visible() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// Ends all that descends from a process, as far as it can be seen at this moment. Tells whether there was anything.
pub(crate) fn end_below(root: Pid) -> bool {
    let mut any = false;
    walk(root, |pid| {
        any = true;
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    });
    any
}

/// What all that descends from this process uses. The second part are its own children that ended.
pub(super) fn usage(own: Pid) -> io::Result<(Usage, Vec<Pid>)> {
    let waited_for = stat(own)?.children;
    let (mut usage, mut ticks, mut ended) = (Usage::default(), waited_for, Vec::new());
    let direct = children(own);
    walk(own, |pid| {
        let Ok(stat) = stat(pid) else { return };
        usage.processes += 1;
        usage.threads += stat.threads;
        usage.memory += stat.pages * page_size() as u64;
        ticks += stat.own + stat.children;
        if stat.ended && direct.contains(&pid) {
            ended.push(pid);
        }
    });
    usage.cpu = ticks * 1000 / clock_ticks_per_second();
    Ok((usage, ended))
}

/// Bytes that all below a process hold, with shared memory counted once. Slower than [`usage`].
pub(super) fn memory(root: Pid) -> u64 {
    let mut bytes = 0;
    walk(root, |pid| bytes += proportional(pid).unwrap_or(0));
    bytes
}

/// Visits all below a process, parents first.
fn walk(root: Pid, mut visit: impl FnMut(Pid)) {
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for child in children(parent) {
            visit(child);
            open.push(child);
        }
    }
}

/// The children of a process; none where it has ended.
fn children(parent: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids = |list: String| {
        list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
    };
    lists.flat_map(pids).collect()
}

fn stat(pid: Pid) -> io::Result<Stat> {
    let line = fs::read(format!("/proc/{pid}/stat"))?;
    parse(&String::from_utf8_lossy(&line)).ok_or_else(|| io::Error::other("/proc/<pid>/stat is not as it should be"))
}

/// The second field is the name of the program, in brackets, and may hold anything.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line[line.rfind(')')? + 1..].split_ascii_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    // Times of children are signed in the kernel's table.
    let sum = |a: usize| Some(number(a)? + number(a + 1)?);
    Some(Stat {
        ended: matches!(*fields.first()?, "Z" | "X"),
        own: sum(11)?,
        children: sum(13)?,
        threads: number(17)? as u32,
        pages: number(21)?,
    })
}

fn proportional(pid: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::{Stat, parse, usage};
    use rustix::process::getpid;

    #[test]
    fn a_line_is_read_behind_the_name_whatever_it_is() {
        let line = "7 (a) R 1) S 1 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 5 0 77 9999 42 18446744073709551615 1";
        assert_eq!(parse(line), Some(Stat { ended: false, own: 120, children: 7, threads: 5, pages: 42 }));
        for bad in ["", "7 (a)", "7 a S 1", "7 (a) S 1 2 3"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn children_are_counted() {
        let mut child = std::process::Command::new("/bin/sleep").arg("9").spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let (seen, _) = usage(getpid()).unwrap();
        assert!(seen.processes >= 1 && seen.threads >= 1 && seen.memory > 0, "{seen:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
