//! Servers that take turns, so that none is always the one that runs when the machine is warm.

use std::{ops::RangeInclusive, rc::Rc};

use anyhow::{Result, bail};

use crate::{
    client::Client,
    load,
    load::Load,
    process::Process,
    report::{self, Measurement},
    target::Target,
    workload::Request,
};

/// A server that is measured, or one way to ask it.
pub(crate) struct Server {
    /// Its process; several ways to ask share one.
    pub(crate) process: Rc<Process>,
    /// How it is asked.
    pub(crate) target: Target,
}

/// Puts a load on each server in turn, round by round.
pub(crate) async fn alternate(
    servers: &mut [Server],
    load: Load,
    rounds: RangeInclusive<usize>,
) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for round in rounds {
        servers.rotate_left(1);
        for server in &*servers {
            let measurement = measure(server, load, round).await?;
            eprintln!("{}", report::progress(&measurement));
            measurements.push(measurement);
        }
    }
    Ok(measurements)
}

/// Puts a load on one server, once.
pub(crate) async fn measure(server: &Server, load: Load, round: usize) -> Result<Measurement> {
    let before = server.process.processor_time();
    let speed = load::drive(&server.target, load).await?;
    let used = before.zip(server.process.processor_time()).map(|(before, after)| after.saturating_sub(before));
    // The warm-up's requests are in the processor's time too, so that their share of it is taken out.
    let share = load.time.as_secs_f64() / (load.warm_up + load.time).as_secs_f64();
    let cost = used.map(|used| used.as_secs_f64() * 1e6 * share / speed.requests as f64);
    Ok(Measurement {
        workload: load.workload.name(),
        connections: load.connections,
        server: server.target.name,
        round,
        seconds: load.time.as_secs_f64(),
        processor_us: cost,
        memory_kib: server.process.memory(),
        speed,
    })
}

/// Fails when the servers do not answer the same bytes: then they would not do the same work.
pub(crate) async fn same_answers(servers: &[Server]) -> Result<()> {
    for request in [Request::Read { id: 4_711 }, Request::List { offset: 40 }] {
        let mut first: Option<Vec<u8>> = None;
        for Server { target, .. } in servers {
            let mut bytes = Vec::new();
            target.write(request, &mut bytes);
            let mut client = Client::connect(target.address).await?;
            let answer = client.send(&bytes).await?;
            let text = || String::from_utf8_lossy(answer.body).into_owned();
            if !answer.is_success() {
                bail!("{} refuses {request:?}: {}", target.name, text());
            }
            match &first {
                Some(first) if *first != answer.body => {
                    bail!(
                        "{request:?} is answered with\n{}\nand by {} with\n{}",
                        String::from_utf8_lossy(first),
                        target.name,
                        text()
                    );
                }
                _ => first = Some(answer.body.to_vec()),
            }
        }
    }
    Ok(())
}
