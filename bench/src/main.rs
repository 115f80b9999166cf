//! How fast Insula is: beside the fastest that its parts allow, by who is asking, and while others log in.

mod bare;
mod client;
mod compare;
mod identity;
mod insula;
mod load;
mod logins;
mod machine;
mod passthrough;
mod plan;
mod process;
mod reload;
mod report;
mod rounds;
mod summary;
mod target;
mod workload;

use anyhow::Result;
use clap::Parser;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures Insula.
#[derive(Parser)]
#[command(name = "insula-bench", version)]
enum Bench {
    /// Serve the ceiling: axum and rusqlite with nothing between them.
    Bare(bare::Options),
    /// Put one workload on a server that runs already, and say how fast it was.
    Load(load::Options),
    /// Bring up both servers, run every workload on each in turn, and compare.
    Run(compare::Options),
    /// Compare what a read costs a user, API keys and an anonymous caller.
    Identity(identity::Options),
    /// Compare reads in quiet with reads while storms of log-ins arrive.
    Logins(logins::Options),
    /// Compare a large download through a toolkit's endpoint with one from its upstream.
    Passthrough(passthrough::Options),
    /// Measure a reload of one tenant alone and among thousands.
    Reload(reload::Options),
    /// Serve the upstream of `passthrough`: one large file.
    Blob(passthrough::blob::Options),
}

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Bare(options) => bare::run(&options),
        Bench::Load(options) => load::run(&options),
        Bench::Run(options) => compare::run(&options),
        Bench::Identity(options) => identity::run(&options),
        Bench::Logins(options) => logins::run(&options),
        Bench::Passthrough(options) => passthrough::run(&options),
        Bench::Reload(options) => reload::run(&options),
        Bench::Blob(options) => passthrough::blob::run(&options),
    }
}
