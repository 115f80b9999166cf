//! The load: many connections, each sending its next request when the last is answered, for a fixed time.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rand::{SeedableRng as _, rngs::SmallRng};
use serde::Serialize;
use tokio::{runtime, task::JoinSet, time::timeout_at};

use crate::{
    client::Client,
    target::{Dialect, Target},
    workload::Workload,
};

/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the load driver may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What every request does.
    workload: Workload,
    /// Where the server listens.
    #[arg(long, value_name = "ADDRESS")]
    target: SocketAddr,
    /// A session token or an API key: the server is Insula. Without it, the server is the bare one.
    #[arg(long, env = "INSULA_BENCH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How many connections ask at the same time.
    #[arg(long, default_value = "16")]
    connections: NonZeroUsize,
    /// How many seconds are measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many seconds go before, unmeasured.
    #[arg(long, default_value_t = 1)]
    warm_up: u64,
}

/// How much load, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) workload: Workload,
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// How fast a server was.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Speed {
    /// Requests that succeeded, and were answered within the time.
    pub(crate) requests: usize,
    /// Requests that were refused.
    pub(crate) errors: usize,
    pub(crate) per_second: f64,
    /// Half of the answers came within this many microseconds.
    pub(crate) p50: u32,
    pub(crate) p95: u32,
    pub(crate) p99: u32,
    /// The slowest answer took this many microseconds.
    pub(crate) longest: u32,
}

/// Puts one workload on a server and prints how fast it was.
pub(crate) fn run(options: &Options) -> Result<()> {
    let dialect = options.token.clone().map_or(Dialect::Bare, |token| Dialect::Insula { token });
    let target = Target { address: options.target, name: "the server", dialect };
    let load = Load {
        workload: options.workload,
        connections: options.connections.get(),
        warm_up: Duration::from_secs(options.warm_up),
        time: Duration::from_secs(options.seconds),
    };
    // One thread: the server needs the other cores.
    let speed = runtime::Builder::new_current_thread().enable_all().build()?.block_on(drive(&target, load))?;
    println!("{}", serde_json::to_string(&speed)?);
    Ok(())
}

/// Puts a load on a server. Must run on a single-threaded runtime, so as to use one core at most.
pub(crate) async fn drive(target: &Target, load: Load) -> Result<Speed> {
    let begin = Instant::now() + load.warm_up;
    let end = begin + load.time;
    let mut connections = JoinSet::new();
    for number in 0..load.connections {
        let client = Client::connect(target.address).await?;
        connections.spawn(connection(client, target.clone(), load.workload, number as u64, begin, end));
    }
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let late = || format!("{} does not answer any more", target.name);
    while let Some(connection) =
        timeout_at((end + PATIENCE).into(), connections.join_next()).await.with_context(late)?
    {
        let (more, failed) = connection?.with_context(|| format!("Measuring {}", target.name))?;
        latencies.extend(more);
        errors += failed;
    }
    latencies.sort_unstable();
    let Some((p50, (p95, p99))) =
        percentile(&latencies, 50).zip(percentile(&latencies, 95).zip(percentile(&latencies, 99)))
    else {
        bail!("Not one of {errors} requests to {} succeeded.", target.name);
    };
    let longest = latencies.last().copied().unwrap_or_default();
    let per_second = latencies.len() as f64 / load.time.as_secs_f64();
    Ok(Speed { requests: latencies.len(), errors, per_second, p50, p95, p99, longest })
}

/// One connection's microseconds of each success between `begin` and `end`, and the number of its refusals.
async fn connection(
    mut client: Client,
    target: Target,
    workload: Workload,
    seed: u64,
    begin: Instant,
    end: Instant,
) -> Result<(Vec<u32>, usize)> {
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let mut request = Vec::new();
    loop {
        target.write(workload.request(&mut random), &mut request);
        let sent = Instant::now();
        let success = client.send(&request).await?.is_success();
        let answered = Instant::now();
        if answered >= end {
            return Ok((latencies, errors));
        }
        if answered >= begin {
            if success {
                latencies.push(u32::try_from((answered - sent).as_micros()).unwrap_or(u32::MAX));
            } else {
                errors += 1;
            }
        }
    }
}

/// The smallest of the sorted values that is not below `percent` of them.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!([50, 95, 99].map(|percent| percentile(&hundred, percent)), [Some(50), Some(95), Some(99)]);
        assert_eq!(percentile(&[7], 50), Some(7));
        assert_eq!(percentile(&[7, 9], 99), Some(9));
        assert_eq!(percentile(&[], 50), None);
    }
}
