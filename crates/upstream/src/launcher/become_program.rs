//! Sets limits on this process and becomes the program.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::{fs::MetadataExt, process::CommandExt},
    process::Command,
};

use rustix::{
    process::{Resource, Rlimit, Signal, getrlimit, getuid, nice, set_parent_process_death_signal, setrlimit},
    thread::set_no_new_privs,
};

use super::Limits;

/// The server comes first.
const NICENESS: i32 = 10;

/// Threads that others of the same user may start meanwhile. The supervisor counts exactly; this only keeps a flood of
/// processes between two counts from growing without end.
const OTHERS: u64 = 512;

/// Arguments: the limits as JSON, the program, its arguments. It only returns with what went wrong.
pub(super) fn run(mut args: impl Iterator<Item = OsString>) -> Result<(), String> {
    let limits = args.next().and_then(|text| serde_json::from_str(text.to_str()?).ok());
    let (Some(limits), Some(program)) = (limits, args.next()) else {
        return Err("the launcher is only for the server".to_owned());
    };
    let mut program = Command::new(program);
    program.args(args);
    confine(&limits).map_err(|error| format!("the limits cannot be set: {error}"))?;
    Err(format!("the program cannot be started: {}", program.exec()))
}

fn confine(limits: &Limits) -> io::Result<()> {
    // Without it the supervisor could not end programs that run with another user's rights.
    set_no_new_privs(true)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    nice(NICENESS)?;
    // Where memory runs out, the program goes first; a machine without this file has other ways.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    close_all_but_standard()?;
    let seconds = limits.cpu.div_ceil(1000);
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    limit(Resource::Fsize, limits.file, limits.file)?;
    limit(Resource::Nofile, limits.open_files.into(), limits.open_files.into())?;
    if !getuid().is_root() {
        let most = threads_of_user()? + u64::from(limits.processes) + OTHERS;
        limit(Resource::Nproc, most, most)?;
    }
    limit(Resource::As, limits.memory, limits.memory)
}

/// Sets a limit, but none above the one in force.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    Ok(setrlimit(resource, Rlimit { current: Some(soft.min(most)), maximum: Some(hard.min(most)) })?)
}

/// Descriptors that whoever started the server left open are not for programs.
fn close_all_but_standard() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    for descriptor in names.iter().filter_map(|name| name.to_str()?.parse::<i32>().ok()).filter(|number| *number > 2) {
        // The one that listed the others is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// The threads of this process's user, as far as they can be seen.
fn threads_of_user() -> io::Result<u64> {
    let user = getuid().as_raw();
    let mut threads = 0;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path().join("task");
        // A folder's links are itself, its parent and its folders. Processes that end meanwhile do not count.
        if let Ok(about) = fs::metadata(path)
            && about.uid() == user
        {
            threads += about.nlink().saturating_sub(2);
        }
    }
    Ok(threads)
}
