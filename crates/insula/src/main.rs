//! The program `insula`.

use std::process::ExitCode;

use clap::Parser;
use insula::{Process, cli::Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads for work that blocks, such as reading and writing SQLite.
const BLOCKING_THREADS: usize = 64;

fn main() -> ExitCode {
    // Before there are threads: the process that runs the program of an endpoint within its limits.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == upstream::launcher::SUBCOMMAND) {
        return upstream::launcher::run(arguments);
    }
    let (cli, process) = (Cli::parse(), Process::this());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build();
    match runtime {
        Ok(runtime) => runtime.block_on(cli.run(process)),
        Err(error) => {
            eprintln!("error: the program cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
