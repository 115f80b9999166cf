//! What it costs to know who is asking: the same read by a user, with two kinds of API keys, and anonymously.

use std::{fmt::Write as _, num::NonZeroUsize, rc::Rc};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    agreement,
    http::post,
    machine,
    plan::{self, Plan},
    report::{self, Measurement},
    rounds::{self, Case},
    servers::{Server, bare, call, insula},
    summary::{Summary, Verdict},
    workload::{Operation, Workload},
};

const ANONYMOUS: &str = "anonymous";
/// Those who say who they are.
const AUTHENTICATED: [&str; 3] = ["session", "personal key", "server key"];
/// The kinds of the API keys.
const KEYS: [(&str, &str); 3] = [(ANONYMOUS, "pk"), (AUTHENTICATED[1], "pat"), (AUTHENTICATED[2], "sk")];
const READ: &str = Workload::Read.name();
/// So many times the cost of an anonymous read is promised at the most.
const LIMIT: f64 = 1.15;

/// What the comparison may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    plan: Plan,
    /// How many connections ask at the same time; several, separated by commas, are run one after the other.
    #[arg(long, value_delimiter = ',', default_value = "16,64")]
    connections: Vec<NonZeroUsize>,
    /// Leave out the bare server, which does not know who is asking.
    #[arg(long)]
    no_bare: bool,
}

/// Measures, prints the table with the verdicts and keeps the results.
pub(crate) fn run(options: &Options) -> Result<()> {
    plan::run(compare(options))
}

async fn compare(options: &Options) -> Result<()> {
    let plan = &options.plan;
    let folder = plan.folder()?;
    let machine = machine::describe(folder.path())?;
    let mut servers = callers(insula::chat(&plan.program()?, folder.path()).await?).await?;
    if !options.no_bare {
        servers.push(bare::start(folder.path(), bare::NAME)?);
    }
    let names: Vec<_> = servers.iter().map(|server| server.target.name).collect();
    agreement::check(&servers, &names, &[Operation::Read { id: 4_711 }]).await?;
    let mut measurements = Vec::new();
    for connections in options.connections.iter().map(|connections| connections.get()) {
        let case = Case { workload: Workload::Read, connections };
        measurements.extend(rounds::alternate(&mut servers, case, plan.load(), plan.rounds()).await?);
    }
    let errors: usize = measurements.iter().map(|one| one.speed.errors).sum();
    ensure!(errors == 0, "{errors} reads were refused, so that the rest says nothing.");
    let [session, personal, server] = AUTHENTICATED;
    let table = report::table(&measurements, &[bare::NAME, ANONYMOUS, session, personal, server], ANONYMOUS);
    plan.finish("-identity", &machine, &(table + "\n" + &verdicts(&measurements)), &measurements)
}

/// The same installation as a user with a session sees it, and as the callers with keys of that user do.
async fn callers(insula: Server) -> Result<Vec<Server>> {
    let (process, address) = (insula.process, insula.target.address);
    let token = insula::user(address).await?;
    let mut callers = Vec::new();
    for (name, kind) in KEYS {
        let wanted = json!({ "kind": kind, "name": name, "scopes": ["data.read"] }).to_string();
        let made = call(address, &post(address, "/auth/keys", Some(&token), &wanted)).await?;
        let token = made["secret"].as_str().context("There is no key in the answer")?.to_owned();
        callers.push((name, token));
    }
    callers.push((AUTHENTICATED[0], token));
    let caller =
        |(name, token)| Server { process: Rc::clone(&process), target: insula::target(address, name, &[token]) };
    Ok(callers.into_iter().map(caller).collect())
}

/// For each number of connections, whether each of those who say who they are costs as little as was promised.
fn verdicts(measurements: &[Measurement]) -> String {
    let mut cases: Vec<_> = measurements.iter().map(|one| one.connections).collect();
    cases.dedup();
    let mut lines = String::new();
    for connections in cases {
        let Some(anonymous) = Summary::of_case(measurements, (READ, connections), ANONYMOUS) else { continue };
        for caller in AUTHENTICATED {
            let Some(known) = Summary::of_case(measurements, (READ, connections), caller) else { continue };
            let name = format!("read × {connections}");
            let (processor, throughput) = cost(&known, &anonymous);
            let processor = processor.map_or_else(|| "unknown".to_owned(), |verdict| verdict.to_string());
            let _ = writeln!(
                lines,
                "{name:<12} {caller:<12} by anonymous: CPU time {processor}, time by throughput {throughput}"
            );
        }
    }
    lines
}

/// What one caller costs beside another: in processor time for each request, and in time at full throughput.
fn cost(known: &Summary, anonymous: &Summary) -> (Option<Verdict>, Verdict) {
    let processor = known.processor_us.zip(anonymous.processor_us);
    (
        processor.map(|(known, anonymous)| Verdict::new(known, anonymous, LIMIT)),
        Verdict::new(anonymous.per_second, known.per_second, LIMIT),
    )
}

#[cfg(test)]
mod tests {
    use super::{cost, verdicts};
    use crate::{load::Speed, report::Measurement, summary::Summary};

    fn round(server: &'static str, connections: usize, per_second: f64, processor_us: Option<f64>) -> Measurement {
        let speed = Speed { requests: 1, errors: 0, per_second, p50: 1, p95: 2, p99: 3, longest: 4 };
        let (round, seconds) = (1, 1.0);
        Measurement {
            workload: "read",
            connections,
            server,
            round,
            seconds,
            processor_us,
            statements: None,
            peak_kib: None,
            speed,
        }
    }

    #[test]
    fn more_processor_time_and_fewer_requests_are_both_a_cost() {
        let anonymous = Summary::of(&[round("anonymous", 16, 1_000.0, Some(20.0))]).unwrap();
        let dear = Summary::of(&[round("session", 16, 800.0, Some(22.0))]).unwrap();
        let (processor, throughput) = cost(&dear, &anonymous);
        assert!(processor.unwrap().kept(), "1.10");
        assert!(!throughput.kept(), "1.25");
        let unknown = Summary::of(&[round("session", 16, 1_000.0, None)]).unwrap();
        assert_eq!(cost(&unknown, &anonymous).0, None);
    }

    #[test]
    fn every_number_of_connections_has_its_own_verdicts() {
        let rounds = [
            round("anonymous", 16, 1_000.0, Some(20.0)),
            round("session", 16, 1_000.0, Some(20.0)),
            round("session", 64, 1_000.0, Some(40.0)),
            round("anonymous", 64, 1_000.0, Some(20.0)),
        ];
        let lines = verdicts(&rounds);
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.lines().next().unwrap().contains("CPU time 1.00 (at most 1.15: kept)"), "{lines}");
        assert!(lines.lines().last().unwrap().contains("CPU time 2.00 (at most 1.15: MISSED)"), "{lines}");
    }
}
