//! Servers that take turns, so that none is always the one that runs when the machine is warm.

use std::ops::RangeInclusive;

use anyhow::Result;

use crate::{
    load::{self, Load, User},
    report::{self, Measurement},
    servers::Server,
    workload::Workload,
};

/// What is measured of each server in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) workload: Workload,
    pub(crate) connections: usize,
}

/// Puts a load on each server in turn, round by round.
pub(crate) async fn alternate(
    servers: &mut [Server],
    case: Case,
    load: Load,
    rounds: RangeInclusive<usize>,
) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for round in rounds {
        if let Some(last) = servers.len().checked_sub(1) {
            servers.rotate_left(1.min(last));
        }
        for server in &*servers {
            let measurement = measure(server, case, load, round).await?;
            eprintln!("{}", report::progress(&measurement));
            measurements.push(measurement);
        }
    }
    Ok(measurements)
}

/// Puts a load on one server, once.
pub(crate) async fn measure(server: &Server, case: Case, load: Load, round: usize) -> Result<Measurement> {
    let users = load::users(&server.target, case.workload, case.connections);
    measure_users(server, case.workload.name(), users, load, round).await
}

/// Puts the load of these users on one server, once.
pub(crate) async fn measure_users(
    server: &Server,
    workload: &'static str,
    users: Vec<Box<dyn User>>,
    load: Load,
    round: usize,
) -> Result<Measurement> {
    let (process, name) = (&server.process, server.target.name);
    let connections = users.len();
    process.forget_peak();
    let statements = process.statements().await;
    let before = process.processor_time();
    let speed = load::drive(server.target.address, name, users, load).await?;
    let used = before.zip(process.processor_time()).map(|(before, after)| after.saturating_sub(before));
    // The warm-up's requests are in the processor's time too, so that their share of it is taken out.
    let share = load.time.as_secs_f64() / (load.warm_up + load.time).as_secs_f64();
    let cost = used.map(|used| used.as_secs_f64() * 1e6 * share / speed.requests as f64);
    let statements = statements.zip(process.statements().await).map(|(before, after)| after.saturating_sub(before));
    Ok(Measurement {
        workload,
        connections,
        server: name,
        round,
        seconds: load.time.as_secs_f64(),
        processor_us: cost,
        statements: statements.map(|statements| statements as f64 * share / speed.requests as f64),
        peak_kib: process.peak_memory(),
        speed,
    })
}
