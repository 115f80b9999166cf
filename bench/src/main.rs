//! How fast Insula is: beside the fastest that its parts allow, by who is asking, and while others log in.

mod agreement;
mod bare;
mod chart;
mod chat;
mod client;
mod descriptors;
mod http;
mod identity;
mod instructions;
mod load;
mod logins;
mod machine;
mod passthrough;
mod peers;
mod pinning;
mod plan;
mod postgres;
mod process;
mod promises;
mod reload;
mod report;
mod rounds;
mod rows;
mod servers;
mod sessions;
mod start;
mod summary;
mod tenants;
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
    /// Serve the ceiling on PostgreSQL: axum and tokio-postgres.
    BarePostgres(bare::postgres::Options),
    /// Put one workload on a server that runs already, and say how fast it was.
    Load(load::Options),
    /// Bring up Insula, the bare server and PocketBase, run every workload on each in turn, and compare.
    Run(chat::Options),
    /// Compare Insula with other servers before PostgreSQL.
    Postgres(postgres::Options),
    /// Compare start-up, idle memory and size of the servers.
    Start(start::Options),
    /// Compare log-ins and the renewal of tokens.
    Sessions(sessions::Options),
    /// Measure thousands of tenants on one server.
    Tenants(tenants::Options),
    /// Count the instructions of a request and compare them with those that were accepted.
    Instructions(instructions::Options),
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
        Bench::BarePostgres(options) => bare::postgres::run(&options),
        Bench::Load(options) => load::run(&options),
        Bench::Run(options) => chat::run(&options),
        Bench::Postgres(options) => postgres::run(&options),
        Bench::Start(options) => start::run(&options),
        Bench::Sessions(options) => sessions::run(&options),
        Bench::Tenants(options) => tenants::run(&options),
        Bench::Instructions(options) => instructions::run(&options),
        Bench::Identity(options) => identity::run(&options),
        Bench::Logins(options) => logins::run(&options),
        Bench::Passthrough(options) => passthrough::run(&options),
        Bench::Reload(options) => reload::run(&options),
        Bench::Blob(options) => passthrough::blob::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use super::Bench;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Bench::command().debug_assert();
    }
}
