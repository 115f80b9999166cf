//! Runs one program within limits and leaves nothing of it behind: a hidden subcommand of the server's own binary.
//!
//! The server starts its binary as a *supervisor*, which gets an order over a socket on its standard input. The
//! supervisor starts the binary once more; that process sets limits on itself and *becomes* the program. When the
//! program ends, exceeds a limit, or the server closes the socket or dies, the supervisor ends all that descends from
//! it. This takes two processes because limits that bind the program must not bind the one that watches it.

mod become_program;
mod order;
mod supervise;
mod tree;

use std::{ffi::OsString, process::ExitCode};

pub(crate) use order::{Limit, Limits, Order, Verdict};
pub(crate) use tree::end_below;

/// The hidden subcommand of the binary that must call [`run`] with the arguments after it, before it starts threads.
pub const SUBCOMMAND: &str = "launch-program";

/// The first argument of the process that becomes the program.
const BECOME: &str = "become";

/// The binary that runs, even where it was replaced on disk meanwhile.
pub(crate) const OWN_BINARY: &str = "/proc/self/exe";

/// The launcher. It is no use to people: what it reads and prints is for the server.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args = args.peekable();
    let done = if args.next_if(|arg| arg == BECOME).is_some() {
        become_program::run(args)
    } else {
        supervise::run().map_err(|error| format!("the launcher failed: {error}"))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(127)
        }
    }
}
