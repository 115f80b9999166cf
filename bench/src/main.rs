//! How fast Insula is, beside the fastest that its parts allow: a bare server, a load driver, and their comparison.

mod bare;
mod client;
mod compare;
mod insula;
mod load;
mod machine;
mod process;
mod report;
mod target;
mod workload;

use anyhow::Result;
use clap::Parser;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures Insula beside a bare axum and rusqlite server.
#[derive(Parser)]
#[command(name = "insula-bench", version)]
enum Bench {
    /// Serve the ceiling: axum and rusqlite with nothing between them.
    Bare(bare::Options),
    /// Put one workload on a server that runs already, and say how fast it was.
    Load(load::Options),
    /// Bring up both servers, run every workload on each in turn, and compare.
    Run(compare::Options),
}

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Bare(options) => bare::run(&options),
        Bench::Load(options) => load::run(&options),
        Bench::Run(options) => compare::run(&options),
    }
}
