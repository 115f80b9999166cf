//! A running server: what `insula serve` and the tests start.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use audit::Spool;
use edge::{App, Edge};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{AbortHandle, JoinHandle},
};

use crate::{
    Config, Installation, Ready, demo,
    failure::{Failure, Result, io},
    installation, setup_token,
};

/// The git commit that was built.
const BUILD: &str = env!("INSULA_BUILD");

/// What to serve.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration; port 0 takes any free one.
    pub config: Config,
    /// Whether there shall be a tenant with data to try things on.
    pub demo: bool,
    /// Where the process's audit log is written; none where it has none.
    pub spool: Option<Arc<Spool>>,
}

/// A server that listens. Dropping it without [`Self::stop`] leaves it running until the runtime ends.
pub struct Server {
    installation: Arc<Installation>,
    address: SocketAddr,
    ready: Ready,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    jobs: [AbortHandle; 2],
}

impl Server {
    /// Opens the installation and listens; from then on requests are answered.
    pub async fn start(options: Options) -> Result<Self> {
        let Options { config, demo, spool } = options;
        warn_of_trust(&config);
        let listener = listen(config.server.listen).await?;
        let admin = match config.server.admin_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = listener.local_addr().map_err(io("the listener"))?;
        let spool = spool.unwrap_or_else(|| installation::spool(&config));
        let installation = Arc::new(Installation::audited(config, spool).await?);
        let ready = if demo {
            demo::prepare(&installation, &url(address)).await?
        } else {
            let tenant = installation.first_name().await?;
            Ready { url: url(address), tenant, accounts: None, tables: None }
        };
        if ready.tenant.is_some() {
            setup_token::remove(&installation.config);
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(edge::serve(app(&installation), listener, admin, async move {
            // An error says that the handle is gone, and then nobody else would end it.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        let features = &installation.features;
        let jobs = [tokio::spawn(features.identity.job()), tokio::spawn(features.audit.job())];
        let jobs = jobs.map(|job| job.abort_handle());
        Ok(Self { installation, address, ready, stop, serving, jobs })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the API is, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.ready.url
    }

    /// How to reach it.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// What it serves.
    pub fn installation(&self) -> &Arc<Installation> {
        &self.installation
    }

    /// Waits until it ends by itself, which is a failure.
    pub async fn ended(&mut self) -> Failure {
        match (&mut self.serving).await {
            Ok(Err(error)) => Failure::Io("the listener".to_owned(), error),
            Ok(Ok(())) => Failure::Other("the server ended".to_owned()),
            Err(error) => Failure::Other(format!("the server ended: {error}")),
        }
    }

    /// Accepts no more, lets running requests finish within the deadline, and writes down what sessions did.
    pub async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        let served = self.serving.await.map_err(|error| Failure::Other(format!("the server ended: {error}")))?;
        self.jobs.iter().for_each(AbortHandle::abort);
        self.installation.features.identity.flush().await;
        self.installation.features.audit.settle().await;
        served.map_err(io("the listener"))
    }
}

/// Whoever may name any address as the client's own stands at every desk.
fn warn_of_trust(config: &Config) {
    const WIDE: u8 = 8;
    let lists = [&config.identity.whitelisted_pin_ips, &config.identity.whitelisted_string_ips];
    let listed = lists.iter().any(|list| !list.is_empty());
    if let Some(network) = config.server.trusted_proxies.iter().find(|network| listed && network.prefix_len() < WIDE) {
        tracing::warn!(
            %network,
            "server.trusted_proxies believes so many addresses that whitelisted_pin_ips and whitelisted_string_ips keep \
             nobody out; name the proxies alone"
        );
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(io(format!("cannot listen on {address}")))
}

/// The address as a browser on this machine can use it.
fn url(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}")
}

/// The HTTP application of an installation.
pub(crate) fn app(installation: &Installation) -> App {
    let edge = Edge {
        config: installation.config.server.clone(),
        directory: Arc::clone(&installation.tenants) as _,
        authenticator: Arc::clone(&installation.features.identity) as _,
        probe: Arc::clone(&installation.tenants) as _,
        build: BUILD,
    };
    edge::app(edge, installation.features.routes())
}
