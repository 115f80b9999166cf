//! Log-ins at once, each over a connection of its own, and again when all are answered.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{
    runtime,
    sync::oneshot::{self, Receiver},
    task::JoinSet,
    time::{sleep_until, timeout},
};

use super::log_ins::{Answered, LogIns};
use crate::client::Client;

/// How long a log-in may take: twice as long as Insula gives a request.
const PATIENCE: Duration = Duration::from_mins(1);
/// A connection that was idle for longer is opened anew: Insula closes it after ten seconds.
const KEPT: Duration = Duration::from_secs(5);

/// Sends the log-ins again and again during `time`, in a thread of its own: the connections that read must not wait for
/// those that log in on this side. The receiver gets what became of all of them.
pub(super) fn start(
    address: SocketAddr,
    log_ins: &Arc<[Vec<u8>]>,
    time: Range<Instant>,
) -> Result<Receiver<Result<LogIns>>> {
    let (done, receiver) = oneshot::channel();
    let log_ins = Arc::clone(log_ins);
    let storms = move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(storms(address, &log_ins, time)));
        // Where nobody waits for it any more, the comparison was interrupted.
        drop(done.send(outcome));
    };
    thread::Builder::new().name("log-ins".to_owned()).spawn(storms)?;
    Ok(receiver)
}

async fn storms(address: SocketAddr, log_ins: &Arc<[Vec<u8>]>, time: Range<Instant>) -> Result<LogIns> {
    let mut connections: Vec<Option<Connection>> = log_ins.iter().map(|_| None).collect();
    connect(address, &mut connections).await?;
    sleep_until(time.start.into()).await;
    let (begun, mut all) = (Instant::now(), LogIns::default());
    while all.storms == 0 || Instant::now() < time.end {
        connect(address, &mut connections).await?;
        let mut storm = JoinSet::new();
        let begun = Instant::now();
        for (number, connection) in connections.iter_mut().enumerate() {
            if let Some(connection) = connection.take() {
                storm.spawn(log_in(number, connection, Arc::clone(log_ins), begun));
            }
        }
        while let Some(log_in) = storm.join_next().await {
            let (number, connection, answered) = log_in?;
            connections[number] = connection;
            all.add(answered);
        }
        all.storms += 1;
    }
    all.finish(begun.elapsed());
    Ok(all)
}

struct Connection {
    client: Client,
    used: Instant,
}

/// Opens the connections that are not there and those that the server may have closed by now.
async fn connect(address: SocketAddr, connections: &mut [Option<Connection>]) -> Result<()> {
    for connection in connections {
        if connection.as_ref().is_none_or(|connection| connection.used.elapsed() > KEPT) {
            *connection = Some(Connection { client: Client::connect(address).await?, used: Instant::now() });
        }
    }
    Ok(())
}

/// One log-in of a storm that began at `begun`. A connection on which it failed is not used again.
async fn log_in(
    number: usize,
    mut connection: Connection,
    log_ins: Arc<[Vec<u8>]>,
    begun: Instant,
) -> (usize, Option<Connection>, Option<Answered>) {
    let answered = match timeout(PATIENCE, connection.client.send(&log_ins[number])).await {
        Ok(Ok(answer)) => Some(Answered {
            status: answer.status,
            is_success: answer.is_success(),
            retry_after: answer.retry_after,
            waited: begun.elapsed(),
        }),
        Ok(Err(_)) | Err(_) => None,
    };
    connection.used = Instant::now();
    (number, answered.is_some().then_some(connection), answered)
}
