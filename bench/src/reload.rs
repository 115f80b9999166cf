//! What a reload costs one tenant, alone and among ten thousand, each with toolkits of its own.

use std::{fmt::Write as _, fs, net::SocketAddr, num::NonZeroUsize, path::Path, time::Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use crate::{
    client::Client,
    http::post,
    machine,
    plan::{self, Plan},
    servers::{call, insula},
    summary::{Verdict, median},
};

/// Toolkit files of each tenant.
const FILES: usize = 10;
const RELOADS: usize = 50;
/// Milliseconds that a reload is promised to take at the most.
const LIMIT: f64 = 20.0;
/// What many other tenants may add to a reload is no more than noise.
const FLAT: f64 = 1.5;

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    /// How many tenants there are in the end.
    #[arg(long, default_value = "10000")]
    tenants: NonZeroUsize,
}

/// One reload.
#[derive(Serialize)]
struct Reload {
    tenants: usize,
    milliseconds: f64,
}

/// Measures, prints the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let insula = insula::chat(&plan.program()?, folder.path()).await?;
    let address = insula.target.address;
    let tenants = folder.path().join("insula/tenants");
    let token = &insula::administrator(address).await?;
    toolkits(&tenants.join(insula::TENANT))?;
    let mut reloads = measured(address, token, 1).await?;
    for number in 2..=options.tenants.get() {
        let name = format!("t{number}");
        call(address, &post(address, "/admin/tenants", Some(token), &json!({ "name": name }).to_string())).await?;
        toolkits(&tenants.join(&name))?;
        if number % 1_000 == 0 {
            eprintln!("{number} tenants");
        }
    }
    reloads.extend(measured(address, token, options.tenants.get()).await?);
    plan.finish("-reload", &machine, &summary(&reloads, options.tenants.get()), &reloads)
}

/// Gives a tenant its toolkits: endpoints, groups, queries and a schedule, as one would write them.
fn toolkits(tenant: &Path) -> Result<()> {
    let folder = tenant.join("toolkits");
    fs::create_dir_all(&folder)?;
    for number in 0..FILES {
        fs::write(folder.join(format!("kit{number}.toml")), toolkit(number))?;
    }
    Ok(())
}

fn toolkit(number: usize) -> String {
    let mut text = format!(
        "name = \"kit{number}\"\ntype = \"library\"\ntables = [\"message\"]\n\n\
         [db_fallback_permissions.10]\nbasic_rules = [\"message:r\"]\nendpoint_permissions = [\"*\"]\n"
    );
    for endpoint in 0..10 {
        let _ = write!(
            text,
            "\n[endpoints.{endpoint}]\npath = \"messages/{endpoint}/{{id}}\"\nmethods = [\"GET\"]\n\
             type = \"internal\"\npseudo_querys = [\"one_{endpoint}\"]\n\n\
             [pseudo_querys.one_{endpoint}]\naction = \"select\"\ntable = \"message\"\n\
             columns = [\"id\", \"body\"]\nwhere = {{ id = \"$payload._path.id\" }}\n"
        );
    }
    text
}

async fn measured(address: SocketAddr, token: &str, tenants: usize) -> Result<Vec<Reload>> {
    let request = post(address, "/reload", Some(token), "{}");
    let mut client = Client::connect(address).await?;
    let mut reloads = Vec::with_capacity(RELOADS);
    for _ in 0..RELOADS {
        let begun = Instant::now();
        let answer = client.send(&request).await?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1_000.0;
        anyhow::ensure!(answer.is_success(), "A reload is refused: {}", String::from_utf8_lossy(answer.body));
        reloads.push(Reload { tenants, milliseconds });
    }
    Ok(reloads)
}

fn summary(reloads: &[Reload], most: usize) -> String {
    let of = |tenants| {
        let times: Vec<_> = reloads.iter().filter(|reload| reload.tenants == tenants).collect();
        let longest = times.iter().map(|reload| reload.milliseconds).fold(0.0, f64::max);
        (median(times.iter().map(|reload| reload.milliseconds).collect()).unwrap_or_default(), longest)
    };
    let ((alone, _), (among, longest)) = (of(1), of(most));
    format!(
        "reload of one tenant with {FILES} toolkits: {alone:.2} ms alone, {among:.2} ms among {most} (longest {longest:.2} ms)\n\
         milliseconds: {}\namong {most} by alone: {}\n",
        Verdict::new(among, 1.0, LIMIT),
        Verdict::new(among, alone, FLAT)
    )
}
