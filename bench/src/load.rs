//! The load: many connections, each sending its next request when the last is answered, for a fixed time.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rand::{SeedableRng as _, rngs::SmallRng};
use serde::Serialize;
use tokio::{runtime, task::JoinSet, time::timeout_at};

use crate::{
    client::{Answer, Client},
    http::Requests,
    servers::{Target, bare, insula},
    workload::{CALLERS, Caller, Workload},
};

/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the load driver may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What every request does.
    workload: Workload,
    /// Where the server listens.
    #[arg(long, value_name = "ADDRESS")]
    target: SocketAddr,
    /// A session token or an API key, or several with commas between, one a caller: the server is Insula. Without it, the
    /// server is the bare one.
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

/// How long a load lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// What goes before, unmeasured.
    pub(crate) warm_up: Duration,
    /// What is measured.
    pub(crate) time: Duration,
}

/// How fast a server was.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Speed {
    /// Requests that succeeded, and were answered within the time, or first of their connection.
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
    let (address, name) = (options.target, "the server");
    let target = match &options.token {
        Some(tokens) => insula::target(address, name, &tokens.split(',').map(str::to_owned).collect::<Vec<_>>()),
        None => Target { address, name, dialect: Arc::new(bare::Bare) },
    };
    let load = Load { warm_up: Duration::from_secs(options.warm_up), time: Duration::from_secs(options.seconds) };
    let users = users(&target, options.workload, options.connections.get());
    // One thread: the server needs the other cores.
    let speed =
        runtime::Builder::new_current_thread().enable_all().build()?.block_on(drive(address, name, users, load))?;
    println!("{}", serde_json::to_string(&speed)?);
    Ok(())
}

/// Who sits at a connection: says what is asked next, and looks at the answers.
pub(crate) trait User: Send {
    /// Writes the requests of the next operation. Its time is that until the last of them is answered.
    fn ask(&mut self, requests: &mut Requests);

    /// Whether an answer is what was asked for.
    fn hear(&mut self, answer: &Answer<'_>) -> bool;
}

/// One user for each connection; all do the same, each with one of the callers' sessions.
pub(crate) fn users(target: &Target, workload: Workload, connections: usize) -> Vec<Box<dyn User>> {
    let user = |number: usize| -> Box<dyn User> {
        let random = SmallRng::seed_from_u64(number as u64);
        Box::new(Chatter { target: target.clone(), workload, caller: Caller(number % CALLERS), random })
    };
    (0..connections).map(user).collect()
}

struct Chatter {
    target: Target,
    workload: Workload,
    caller: Caller,
    random: SmallRng,
}

impl User for Chatter {
    fn ask(&mut self, requests: &mut Requests) {
        let operation = self.workload.operation(self.caller, &mut self.random);
        self.target.dialect.write(operation, self.caller, self.target.address, requests);
    }

    fn hear(&mut self, answer: &Answer<'_>) -> bool {
        self.target.dialect.is_success(answer)
    }
}

/// Puts a load on a server, with a connection for each user. Must run on a single-threaded runtime, so as to use one core
/// at most.
pub(crate) async fn drive(address: SocketAddr, name: &str, users: Vec<Box<dyn User>>, load: Load) -> Result<Speed> {
    let begin = Instant::now() + load.warm_up;
    let end = begin + load.time;
    let mut connections = JoinSet::new();
    for user in users {
        let client = Client::connect(address).await?;
        connections.spawn(connection(client, user, begin, end));
    }
    let (mut latencies, mut errors, mut last) = (Vec::new(), 0, end);
    let late = || format!("{name} does not answer any more");
    while let Some(connection) =
        timeout_at((end + PATIENCE).into(), connections.join_next()).await.with_context(late)?
    {
        let done = connection?.with_context(|| format!("Measuring {name}"))?;
        latencies.extend(done.latencies);
        errors += done.errors;
        last = last.max(done.end);
    }
    Speed::of(latencies, errors, last - begin)
        .with_context(|| format!("Not one of {errors} requests to {name} succeeded."))
}

impl Speed {
    /// Out of the microseconds of each success; none where there was none.
    pub(crate) fn of(mut latencies: Vec<u32>, errors: usize, time: Duration) -> Option<Self> {
        latencies.sort_unstable();
        let at = |percent| percentile(&latencies, percent);
        let (p50, p95, p99) = (at(50)?, at(95)?, at(99)?);
        let per_second = latencies.len() as f64 / time.as_secs_f64();
        Some(Self { requests: latencies.len(), errors, per_second, p50, p95, p99, longest: *latencies.last()? })
    }
}

/// What came of one connection.
struct Done {
    /// The microseconds of each success between `begin` and `end`.
    latencies: Vec<u32>,
    /// The number of its refusals.
    errors: usize,
    /// When it was over: later than asked for where the first answer was.
    end: Instant,
}

async fn connection(mut client: Client, mut user: Box<dyn User>, begin: Instant, end: Instant) -> Result<Done> {
    let (mut latencies, mut errors) = (Vec::new(), 0);
    let mut requests = Requests::default();
    loop {
        requests.clear();
        user.ask(&mut requests);
        let sent = Instant::now();
        let mut success = true;
        for request in requests.iter() {
            success &= user.hear(&client.send(request).await?);
        }
        let answered = Instant::now();
        let late = answered >= end;
        // One that takes longer than there is time is measured all the same.
        let first = latencies.is_empty() && errors == 0;
        if answered >= begin && (!late || first) {
            if success {
                latencies.push(micros(answered - sent));
            } else {
                errors += 1;
            }
        }
        if late {
            return Ok(Done { latencies, errors, end: if first { answered } else { end } });
        }
    }
}

/// A time in whole microseconds.
pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
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
