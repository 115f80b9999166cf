//! The path to PostgreSQL: Insula, a bare server, `PostgREST` and Parse Server before the same database server.

use std::{num::NonZeroUsize, path::Path};

use anyhow::{Context as _, Result, bail};
use tokio_postgres::NoTls;

use crate::{
    agreement, chart, machine,
    peers::{Peer, Peers},
    plan::{self, Plan},
    promises::{self, Ratio},
    report,
    rounds::{self, Case},
    rows,
    servers::{Server, bare_postgres, insula, parse, postgrest},
    workload::{Operation, ROWS, Rule, Workload},
};

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The workloads to run: read, join, bulk; all of them when none is named.
    workloads: Vec<Workload>,
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    peers: Peers,
    /// How many connections ask at the same time; several, separated by commas, are run one after the other.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<NonZeroUsize>,
    /// The URL of a database of a PostgreSQL server, as a superuser; databases of their own are made beside it.
    #[arg(long, env = "INSULA_BENCH_POSTGRES_URL", hide_env_values = true)]
    url: String,
}

const SERVERS: [&str; 4] = [bare_postgres::NAME, insula::NAME, postgrest::NAME, parse::NAME];
const PROMISES: [Ratio; 1] =
    [Ratio { workloads: &["read"], of: insula::NAME, beside: postgrest::NAME, connections: None, at_least: 3.0 }];

/// Measures, prints the table with the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let workloads = if options.workloads.is_empty() { &Workload::POSTGRES[..] } else { &options.workloads };
    if let Some(workload) = workloads.iter().find(|workload| !Workload::POSTGRES.contains(workload)) {
        bail!("`{}` is no workload on PostgreSQL.", workload.name());
    }
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let databases = Databases::make(&options.url).await?;
    let measured = measure(options, workloads, folder.path(), &databases).await;
    let settings = databases.settings().await;
    databases.drop().await?;
    let measurements = measured?;
    let table = report::table(&measurements, &SERVERS, bare_postgres::NAME);
    let verdicts = promises::lines(&PROMISES, &measurements);
    let charts = chart::all(&measurements, &SERVERS, &machine);
    let table = format!("PostgreSQL: {}\n\n{table}\n{verdicts}", settings?);
    plan.finish_with("-postgres", &machine, &table, &measurements, &charts)
}

async fn measure(
    options: &Options,
    workloads: &[Workload],
    folder: &Path,
    databases: &Databases,
) -> Result<Vec<report::Measurement>> {
    let plan = &options.plan;
    let mut servers = start(options, folder, databases).await?;
    let questions = [Operation::Read { id: 4_711 }, Operation::Join { id: 4_711 }];
    agreement::check(&servers, &[bare_postgres::NAME, insula::NAME], &questions).await?;
    agreement::check_rule(&servers, &[insula::NAME, postgrest::NAME, parse::NAME]).await?;
    let mut measurements = Vec::new();
    for &workload in workloads {
        for connections in options.connections.iter().map(|connections| connections.get()) {
            let case = Case { workload, connections };
            measurements.extend(rounds::alternate(&mut servers, case, plan.load(), plan.rounds()).await?);
        }
    }
    Ok(measurements)
}

async fn start(options: &Options, folder: &Path, databases: &Databases) -> Result<Vec<Server>> {
    let (program, url) = (options.plan.program()?, &databases.shared());
    let config = format!("{}\n[store]\ndatabase = \"{url}\"\n", insula::CONFIG);
    let schema = rows::postgres(&Rule::ALL.map(Rule::table), ROWS);
    let installation = insula::chat_installation(&program, folder, &config, &schema)?;
    let insula = insula::with_callers(&installation).await?;
    databases.execute(url, &format!("ANALYZE; {}", postgrest::policies(SCHEMA, &databases.role))).await?;
    let mut servers = vec![bare_postgres::start(folder, url, SCHEMA)?, insula];
    let postgrest = async {
        let program = postgrest::program(&options.peers)?;
        postgrest::start(&program, folder, url, SCHEMA, &databases.role).await
    };
    servers.extend(options.peers.bring(Peer::Postgrest, postgrest).await);
    let parse = async { parse::start(&parse::program(&options.peers)?, folder, &databases.parse()).await };
    servers.extend(options.peers.bring(Peer::Parse, parse).await);
    Ok(servers)
}

/// The schema in which Insula keeps the tenant, and in which the others find the same tables.
pub(crate) const SCHEMA: &str = "insula_bench_test";

/// Databases of one run on a server that others may use too.
pub(crate) struct Databases {
    url: String,
    name: String,
    /// The role that `PostgREST` acts as.
    pub(crate) role: String,
}

impl Databases {
    /// Makes them: one for those who share tables, one for Parse Server.
    pub(crate) async fn make(url: &str) -> Result<Self> {
        let name = format!("bench_{}", std::process::id());
        let made = Self { url: url.to_owned(), role: format!("{name}_web"), name };
        made.execute(url, &format!("CREATE DATABASE {}", made.name)).await?;
        made.execute(url, &format!("CREATE DATABASE {}_parse", made.name)).await?;
        Ok(made)
    }

    /// The URL of the one that is shared.
    pub(crate) fn shared(&self) -> String {
        self.beside(&self.name)
    }

    /// The URL of the one of Parse Server.
    pub(crate) fn parse(&self) -> String {
        self.beside(&format!("{}_parse", self.name))
    }

    fn beside(&self, name: &str) -> String {
        let (server, _) = self.url.rsplit_once('/').unwrap_or((&self.url, ""));
        format!("{server}/{name}")
    }

    /// Runs statements in one of them.
    pub(crate) async fn execute(&self, url: &str, sql: &str) -> Result<()> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("Cannot connect to PostgreSQL")?;
        tokio::spawn(connection);
        client.batch_execute(sql).await.context("PostgreSQL refuses a statement")
    }

    /// What decides how durable a commit is, for all servers alike.
    pub(crate) async fn settings(&self) -> Result<String> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        let mut settings = Vec::new();
        for name in ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"] {
            let row = client.query_one("SELECT current_setting($1)", &[&name]).await?;
            settings.push(format!("{name} {}", row.try_get::<_, &str>(0)?));
        }
        Ok(settings.join(", "))
    }

    /// Removes them with all that is connected to them.
    pub(crate) async fn drop(self) -> Result<()> {
        for name in [format!("{}_parse", self.name), self.name.clone()] {
            self.execute(&self.url, &format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        self.execute(&self.url, &format!("DROP ROLE IF EXISTS {}", self.role)).await
    }
}
