//! Connections: accepting them under caps, handing their requests to the walk, and draining them at the end.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, response::IntoResponse, routing::get};
use http::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use kernel::{Error, Reason, RequestId};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, interval, sleep, timeout, timeout_at},
};

use crate::{App, EdgeConfig, Failure, failure, metric, patience::Patient};

/// What a connection may hold in memory for reading.
const MAX_BUFFER: usize = 128 << 10;
const UPKEEP: Duration = Duration::from_secs(5);
/// Pause after a failed accept, which mostly means that the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time in the drain in which connections without a request stay open for one more.
const LINGER: Duration = Duration::from_millis(100);

/// Serves until `stop` is resolved, then drains: accepts no more, lets running requests finish within the time that
/// `stop` tells, and cuts off the rest. `admin` serves `GET /metrics` alone.
///
/// Both listeners are closed when it drains. Connections wait in them meanwhile where the caller holds duplicates.
pub async fn serve(
    app: App,
    listener: TcpListener,
    admin: Option<TcpListener>,
    stop: impl Future<Output = Duration> + Send + 'static,
) -> io::Result<()> {
    let config = app.core.config.clone();
    let (protocol, patience) = (Arc::new(protocol(&config)), config.write_timeout.0);
    let slots = Arc::new(Semaphore::new(config.max_connections.get().min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let closing = Arc::new(AtomicBool::new(false));
    let (drain, draining) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut helpers = JoinSet::new();
    helpers.spawn(async {
        let mut ticks = interval(UPKEEP);
        loop {
            ticks.tick().await;
            metric::upkeep();
        }
    });
    if let Some(admin) = admin {
        helpers.spawn(async move {
            if let Err(error) = axum::serve(admin, admin_routes()).await {
                tracing::error!(%error, "the admin listener failed");
            }
        });
    }
    tokio::pin!(stop);
    let deadline = loop {
        let accepted = tokio::select! {
            biased;
            deadline = &mut stop => break deadline,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                let walk = app.walk(peer.ip(), &closing);
                let silent = silent(Arc::clone(&walk.asked), draining.clone());
                let connection =
                    graceful.watch(protocol.serve_connection(TokioIo::new(Patient::new(stream, patience)), walk));
                connections.spawn(async move {
                    tokio::select! {
                        // What has arrived is read first.
                        biased;
                        ended = connection => if let Err(error) = ended {
                            tracing::debug!(%peer, %error, "a connection broke off");
                        },
                        () = silent => {}
                    }
                    drop(slot);
                });
            }
            Err(error) if is_of_client(&error) => tracing::debug!(%error, "a connection was given up"),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    helpers.shutdown().await;
    let latest = Instant::now() + deadline;
    // Who asks one thing after the other shall be told in an answer, and not find the connection closed.
    closing.store(true, Ordering::Release);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LINGER.min(deadline), all).await;
    let _ = drain.send(true);
    if timeout_at(latest, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "the deadline passed; the rest is cut off");
    }
    connections.shutdown().await;
    Ok(())
}

type Slot = tokio::sync::OwnedSemaphorePermit;

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, Slot)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Worth a few milliseconds to the client, but no reason to turn it away.
    let _ = stream.set_nodelay(true);
    Ok((stream, peer, slot))
}

/// Resolved in the drain where a connection has not asked anything yet: nothing is lost with it, and hyper would wait.
async fn silent(asked: Arc<AtomicBool>, mut draining: watch::Receiver<bool>) {
    let told = draining.wait_for(|draining| *draining).await.is_ok();
    if !told || asked.load(Ordering::Acquire) {
        std::future::pending::<()>().await;
    }
}

/// Whether one client's connection failed, and not the accepting of connections.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The walk refuses large heads with JSON; this is the hard cap beyond which the parser gives up.
fn protocol(config: &EdgeConfig) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout.0)
        .max_header_size((config.max_header_size.0 as usize).saturating_mul(2).clamp(32 << 10, MAX_BUFFER))
        .max_buf_size(MAX_BUFFER);
    protocol
}

fn admin_routes() -> Router {
    Router::new().route("/metrics", get(metrics)).fallback(|| async {
        let response = Failure::from(Error::plain(Reason::RouteNotFound)).into_response();
        failure::render(response, RequestId::now())
    })
}

async fn metrics() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metric::render().unwrap_or_default())
}
