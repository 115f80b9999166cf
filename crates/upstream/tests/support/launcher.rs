//! The launcher alone, for tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    upstream::launcher::run(std::env::args_os().skip(2))
}
