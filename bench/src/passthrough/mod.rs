//! What it costs to stream a large file through a toolkit's endpoint, beside asking its upstream directly.

pub(crate) mod blob;
mod download;

use std::{fmt::Write as _, fs, net::SocketAddr, num::NonZeroU64, path::Path, process::Command};

use anyhow::{Result, ensure};
use serde::Serialize;

use self::download::Client;
use crate::{
    http::post,
    machine,
    plan::{self, Plan},
    process::Process,
    servers::{call, free_address, insula},
    summary::median,
};

const DIRECT: &str = "direct";
const THROUGH: &str = "insula";
/// So much of the upstream's own throughput is promised at the least.
const LIMIT: f64 = 0.9;

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    /// The file's length in MiB.
    #[arg(long, default_value = "1024")]
    mebibytes: NonZeroU64,
}

/// One download.
#[derive(Serialize)]
struct Download {
    /// Who was asked.
    server: &'static str,
    client: Client,
    round: usize,
    mebibytes: u64,
    mebibytes_per_second: f64,
    /// The most memory that Insula has held until now, in KiB.
    peak_kib: Option<u64>,
}

/// Measures, prints the table with the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let (plan, mebibytes) = (&options.plan, options.mebibytes.get());
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let (upstream, _upstream) = upstream(folder.path(), mebibytes)?;
    let insula = insula::chat(&plan.program()?, folder.path()).await?;
    let address = insula.target.address;
    let toolkits = folder.path().join("insula/tenants").join(insula::TENANT).join("toolkits");
    fs::create_dir_all(&toolkits)?;
    fs::write(toolkits.join("files.toml"), toolkit(upstream))?;
    let token = insula::administrator(address).await?;
    call(address, &post(address, "/reload", Some(&token), "{}")).await?;

    let expected = blob::checksum(mebibytes);
    let mut rounds = Vec::new();
    for client in [Client::Checks, Client::Discards] {
        for round in plan.rounds() {
            let ways =
                [(DIRECT, upstream, "/blob", None), (THROUGH, address, "/tk/app/files/big", Some(token.as_str()))];
            for (server, address, path, token) in ways {
                let got = download::download(address, path, token, client).await?;
                ensure!(got.bytes == mebibytes << 20, "{server} sent {} bytes", got.bytes);
                ensure!(got.checksum.is_none_or(|sum| sum == expected), "{server} sent other bytes");
                let mebibytes_per_second = mebibytes as f64 / got.time.as_secs_f64();
                eprintln!("round {round}  {client:?}  {server:<8} {mebibytes_per_second:>7.0} MiB/s");
                let peak_kib = insula.process.peak_memory();
                rounds.push(Download { server, client, round, mebibytes, mebibytes_per_second, peak_kib });
            }
        }
    }
    plan.finish("-passthrough", &machine, &summary(&rounds), &rounds)
}

fn upstream(folder: &Path, mebibytes: u64) -> Result<(SocketAddr, Process)> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["blob", "--listen", &address.to_string(), "--mebibytes", &mebibytes.to_string()]);
    Ok((address, Process::start(&mut command, &folder.join("blob.ready"))?))
}

fn toolkit(upstream: SocketAddr) -> String {
    format!(
        r#"name = "files"
type = "application"

[endpoints.0]
path = "big"
methods = ["GET"]
type = "http"
method = "GET"
url = "http://{upstream}/blob"
response_format = "passthrough"

[db_fallback_permissions.100]
endpoint_permissions = ["*"]
"#
    )
}

fn summary(rounds: &[Download]) -> String {
    let mut text = String::new();
    for client in [Client::Checks, Client::Discards] {
        let of = |server| {
            let rounds = rounds.iter().filter(|round| round.server == server && round.client == client);
            median(rounds.map(|round| round.mebibytes_per_second).collect()).unwrap_or_default()
        };
        let (direct, through) = (of(DIRECT), of(THROUGH));
        let word = if through / direct >= LIMIT { "kept" } else { "MISSED" };
        let does = if client == Client::Checks { "takes a checksum" } else { "discards" };
        let _ = writeln!(
            text,
            "a client that {does:<17} direct {direct:>6.0} MiB/s, through Insula {through:>6.0} MiB/s: {:.2} (at least {LIMIT}: {word})",
            through / direct
        );
    }
    let peak = rounds.iter().filter_map(|round| round.peak_kib).max().unwrap_or_default();
    let _ = writeln!(text, "the most memory that Insula held: {} MiB", peak >> 10);
    text
}
