//! Other programs: run to their end, with their failures told in a sentence, and never left behind.

use std::{
    fs::File,
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt;

const POLL: Duration = Duration::from_millis(20);
/// How long a program may take to end by itself once it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a program whose output the developer sees.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = finish(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}).", shown(command));
    }
    Ok(())
}

/// Runs a program in silence; its output is shown only when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    run_with_input(command, Stdio::null())
}

/// Runs a program in silence on some input; its output is shown only when it fails.
pub(crate) fn run_with_input(command: &mut Command, input: Stdio) -> Result<()> {
    let output = tempfile::tempfile()?;
    command.stdin(input).stdout(output.try_clone()?).stderr(output.try_clone()?);
    let status = finish(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}): {}", shown(command), written(output)?);
    }
    Ok(())
}

/// Runs a program and gives what it printed; what it complains about goes to the developer.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?);
    let status = finish(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}).", shown(command));
    }
    written(output)
}

/// Whether a program runs and says yes by its exit code.
pub(crate) fn agrees(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Where a program is: in `PATH` or one of the folders that only root has there.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Starts a program in a process group of its own, so that a Ctrl-C reaches it only through us, in our order.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    command.process_group(0).spawn().with_context(|| format!("Cannot run `{}`", shown(command)))
}

/// `program`, told by Linux to end with `signal` when this process dies; elsewhere just `program`.
pub(crate) fn bound_to_us(program: &Path, signal: &str) -> Command {
    match find("setpriv") {
        Some(setpriv) if cfg!(target_os = "linux") => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", signal, "--"]).arg(program);
            command
        }
        _ => Command::new(program),
    }
}

/// Asks a program and all it started to end, and sees to it that they do.
pub(crate) fn stop(child: &mut Child, signal: Signal) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    // A group that is gone already is what we want; the result tells nothing else.
    let _ = kill_process_group(group, signal);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        sleep(POLL);
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

fn finish(command: &mut Command) -> Result<ExitStatus> {
    let mut child = spawn(command)?;
    loop {
        if let Some(status) = child.try_wait()? {
            interrupt::check()?;
            return Ok(status);
        }
        if interrupt::asked() {
            stop(&mut child, Signal::INT);
            bail!("Interrupted.");
        }
        sleep(POLL);
    }
}

fn written(mut file: File) -> Result<String> {
    use std::io::Seek as _;
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// A command line for people: the program's name and its arguments.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
