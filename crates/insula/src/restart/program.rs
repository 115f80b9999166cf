//! The program as it was started, and starting it again in its place.

use std::{
    env,
    ffi::{CString, OsString},
    io,
    net::TcpListener,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

use nix::sys::signal::{SigSet, Signal};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::sockets::PREDECESSOR;

/// The signal that asks for a restart.
pub(crate) const SIGNAL: Signal = Signal::SIGUSR2;
/// The program of this process, also where its file is gone.
const ITSELF: &str = "/proc/self/exe";
/// The first descriptor after those of input, output and errors.
const FIRST: i32 = 3;

/// The program that runs, with its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    /// The path by which it was started. After an upgrade another file is there.
    named: PathBuf,
    /// The file that it was, without symbolic links.
    file: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    /// The one that runs.
    pub(super) fn this() -> Self {
        let file = env::current_exe().unwrap_or_else(|_| ITSELF.into());
        let named = env::args_os().next().and_then(find).filter(|named| is_or_was(named, &file));
        Self { named: named.unwrap_or_else(|| file.clone()), file, arguments: env::args_os().collect() }
    }

    /// The file to start next.
    pub(super) fn path(&self) -> &Path {
        [&*self.named, &*self.file].into_iter().find(|path| path.is_file()).unwrap_or(Path::new(ITSELF))
    }

    /// Puts the program in the place of this process, with the sockets. Only returns where that failed; then nothing
    /// has changed. To be called on the main thread.
    pub(super) fn replace_process(&self, sockets: &[TcpListener]) -> io::Error {
        match self.try_to_replace(sockets) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn try_to_replace(&self, sockets: &[TcpListener]) -> io::Result<std::convert::Infallible> {
        let row = in_a_row(sockets)?;
        let path = text(self.path().as_os_str().to_owned())?;
        let arguments = self.arguments.iter().cloned().map(text).collect::<io::Result<Vec<_>>>()?;
        let environment = environment(&row).into_iter().map(text).collect::<io::Result<Vec<_>>>()?;
        for socket in &row {
            fcntl_setfd(socket, FdFlags::empty())?;
        }
        // The new process has no handler at first, and without one the signal would end it.
        let mut until_handled = SigSet::empty();
        until_handled.add(SIGNAL);
        until_handled.thread_block()?;
        crate::log::flush();
        let failed = nix::unistd::execve(&path, &arguments, &environment);
        until_handled.thread_unblock()?;
        Ok(failed?)
    }
}

/// Lets the signal through that was held back while the program had no handler for it.
pub(crate) fn let_signal_through() -> io::Result<()> {
    let mut held_back = SigSet::empty();
    held_back.add(SIGNAL);
    Ok(held_back.thread_unblock()?)
}

/// Where the program is that was started by a name, as a shell finds it.
fn find(name: OsString) -> Option<PathBuf> {
    let name = PathBuf::from(name);
    if name.components().count() > 1 || name.is_absolute() {
        return std::path::absolute(name).ok();
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// Whoever starts a program can name it as they like.
fn is_or_was(named: &Path, file: &Path) -> bool {
    named.canonicalize().map_or(true, |named| file.canonicalize().is_ok_and(|file| file == named))
}

/// Duplicates of sockets with successive descriptors, as `LISTEN_FDS` wants them.
fn in_a_row(sockets: &[TcpListener]) -> io::Result<Vec<OwnedFd>> {
    let mut from = FIRST;
    loop {
        let row = (from..).zip(sockets).map(|(at, socket)| fcntl_dupfd_cloexec(socket, at));
        let row = row.collect::<Result<Vec<_>, _>>()?;
        let first = row.first().map_or(from, AsRawFd::as_raw_fd);
        if (first..).zip(&row).all(|(wanted, socket)| socket.as_raw_fd() == wanted) {
            return Ok(row);
        }
        from = row.last().map_or(from, AsRawFd::as_raw_fd);
    }
}

/// The environment of this process, with the sockets.
fn environment(row: &[OwnedFd]) -> Vec<OsString> {
    let ours = [
        ("LISTEN_PID", std::process::id().to_string()),
        ("LISTEN_FDS", row.len().to_string()),
        ("LISTEN_FDS_FIRST_FD", row.first().map_or(FIRST, AsRawFd::as_raw_fd).to_string()),
        ("LISTEN_FDNAMES", vec![PREDECESSOR; row.len()].join(":")),
    ];
    let inherited = env::vars_os().filter(|(name, _)| ours.iter().all(|(our, _)| name != our));
    let ours = ours.iter().map(|(name, value)| ((*name).into(), value.into()));
    let joined = inherited.chain(ours).map(|(mut variable, value): (OsString, OsString)| {
        variable.push("=");
        variable.push(value);
        variable
    });
    joined.collect()
}

fn text(text: OsString) -> io::Result<CString> {
    Ok(CString::new(text.into_vec())?)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd};

    use super::{Program, environment, in_a_row};

    fn sockets(count: usize) -> Vec<TcpListener> {
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect()
    }

    #[test]
    fn descriptors_are_in_a_row_whatever_else_is_open() {
        // Leaves holes, so that the first free descriptors are not successive.
        let mut others: Vec<_> = sockets(16).into_iter().map(Some).collect();
        others.iter_mut().step_by(2).for_each(|other| *other = None);
        for count in [0, 1, 2, 5] {
            let sockets = sockets(count);
            let row = in_a_row(&sockets).unwrap();
            assert_eq!(row.len(), count);
            assert!(row.windows(2).all(|pair| pair[0].as_raw_fd() + 1 == pair[1].as_raw_fd()), "{row:?}");
            let told = format!("LISTEN_FDS={count}");
            assert!(environment(&row).iter().any(|variable| *variable == *told));
        }
    }

    #[test]
    fn the_program_that_runs_is_found() {
        let program = Program::this();
        assert_eq!(program.path().canonicalize().unwrap(), std::env::current_exe().unwrap().canonicalize().unwrap());
        let gone = Program { named: "/nowhere/insula".into(), file: "/nowhere/else".into(), arguments: Vec::new() };
        assert_eq!(gone.path().canonicalize().unwrap(), std::env::current_exe().unwrap().canonicalize().unwrap());
    }

    #[test]
    fn what_cannot_be_started_leaves_the_process_as_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let program = Program { named: file.path().into(), file: "/nowhere".into(), arguments: Vec::new() };
        assert_eq!(program.replace_process(&sockets(2)).kind(), std::io::ErrorKind::PermissionDenied);
    }
}
