//! The developer's commands of this repository: databases, tests, checks, measurements.

mod bench;
mod ci;
mod command;
mod databases;
mod fuzz;
mod interrupt;
mod packages;
mod progress;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// Sets up, tests and measures this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Task {
    /// Run every test, on SQLite and on throw-away PostgreSQL and MariaDB servers.
    Test(test::Options),
    /// Bring up throw-away PostgreSQL and MariaDB servers and keep them until interrupted.
    Databases(databases::Options),
    /// Check formatting, lints and documentation, then run every test.
    Ci,
    /// Measure Insula beside a bare axum and rusqlite server.
    Bench(bench::Options),
    /// Run the fuzz targets.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let task = Task::parse();
    let done = interrupt::watch().and_then(|()| match task {
        Task::Test(options) => test::run(&options),
        Task::Databases(options) => databases::run(&options),
        Task::Ci => ci::run(),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::failure(&error);
            if interrupt::asked() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}
