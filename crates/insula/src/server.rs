//! A running server: what `insula serve` and the tests start.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use audit::Spool;
use edge::{App, Edge, EdgeConfig, RateLimitConfig};
use kernel::{Reason, network::WIDE, restart::RestartKind};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::{AbortHandle, JoinHandle},
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    Config, Installation, Ready, demo,
    failure::{Failure, Result, io},
    installation,
    restart::{Due, Program},
    setup_token,
    sockets::{Inherited, Sockets},
};

/// The git commit that was built.
const BUILD: &str = env!("INSULA_BUILD");
/// Pause between two tries to reach the control database.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time for the first tenant's database at the start: a dead one must not keep the others from being served.
const LIMITS_TIMEOUT: Duration = Duration::from_secs(3);

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
    app: App,
    sockets: Arc<Sockets>,
    address: SocketAddr,
    ready: Ready,
    /// None while a restart is tried.
    serving: Option<Serving>,
}

impl Server {
    /// Opens the installation and listens; from then on requests are answered.
    pub async fn start(options: Options) -> Result<Self> {
        Box::pin(Self::start_on(options, Inherited::default())).await
    }

    /// The same on sockets that the process was handed, as far as they have the addresses of the configuration.
    pub(crate) async fn start_on(options: Options, inherited: Inherited) -> Result<Self> {
        let Options { config, demo, spool } = options;
        warn_of_trust(&config);
        let patient = !inherited.is_empty();
        let addresses: Vec<_> = std::iter::once(config.server.listen).chain(config.server.admin_listen).collect();
        let sockets = Arc::new(Sockets::open(inherited, &addresses)?);
        let address = sockets.address()?;
        let spool = spool.unwrap_or_else(|| installation::spool(&config));
        let installation = Arc::new(open(config, spool, patient).await?);
        let ready = if demo {
            demo::prepare(&installation, &url(address)).await?
        } else {
            let tenant = installation.first_name().await?;
            Ready { url: url(address), tenant, accounts: None, tables: None }
        };
        if ready.tenant.is_some() {
            setup_token::remove(&installation.config);
        }
        let app = app(&installation, rate_limit(&installation).await);
        let serving = Some(Serving::begin(&app, &installation, &sockets)?);
        Ok(Self { installation, app, sockets, address, ready, serving })
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
        match self.serving.as_mut().and_then(|serving| serving.edge.as_mut()) {
            Some(edge) => match edge.await {
                Ok(Err(error)) => Failure::Io("the listener".to_owned(), error),
                Ok(Ok(())) => Failure::Other("the server ended".to_owned()),
                Err(error) => Failure::Other(format!("the server ended: {error}")),
            },
            None => Failure::Other("the server ended".to_owned()),
        }
    }

    /// Accepts no more, lets running requests finish within the deadline, and writes down what sessions did.
    pub async fn stop(mut self) -> Result<()> {
        self.sockets.close();
        let served = match &mut self.serving {
            Some(serving) => serving.end(self.installation.config.server.shutdown_deadline.0).await,
            None => Ok(()),
        };
        flush(&self.installation).await;
        self.installation.features.audit.settle().await;
        served
    }

    /// From now on it can restart as this program.
    pub(crate) fn offer_restarts(&self, program: Program) {
        self.installation.features.restarts.offer(program, Arc::clone(&self.sockets));
    }

    /// Waits until it is time to restart.
    pub(crate) fn restart_due(&self) -> impl Future<Output = Due> + use<> {
        let (installation, activity) = (Arc::clone(&self.installation), Arc::clone(self.app.activity()));
        async move { installation.features.restarts.due(&activity).await }
    }

    /// Restarts: only returns where that failed, and then it serves on. Connections wait meanwhile. To be called on the
    /// main thread.
    pub(crate) async fn restart(&mut self, due: Due) -> Result<()> {
        let installation = Arc::clone(&self.installation);
        let (restarts, config) = (&installation.features.restarts, &installation.config.server);
        let next = match due.next {
            Some(next) => next,
            None => match restarts.check().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "there is no restart: the program would not start; this one serves on");
                    return Ok(());
                }
            },
        };
        tracing::info!("restarting; running requests are finished, new connections wait");
        if let Some(serving) = &mut self.serving {
            let deadline = match due.kind {
                RestartKind::Graceful => config.shutdown_deadline,
                RestartKind::Forced => config.restart_deadline,
            };
            serving.end(deadline.0).await?;
        }
        self.serving = None;
        flush(&installation).await;
        let failure = restarts.begin_anew(&next);
        tracing::error!(error = %failure, "the restart failed; this process serves on");
        self.serving = Some(Serving::begin(&self.app, &installation, &self.sockets)?);
        Ok(())
    }
}

/// What runs while requests are answered.
struct Serving {
    /// Until they were told to end.
    stop: Option<(oneshot::Sender<Duration>, watch::Sender<bool>)>,
    /// Until it has ended.
    edge: Option<JoinHandle<std::io::Result<()>>>,
    job: JoinHandle<()>,
    /// It may be cut off anywhere: what it has not moved yet waits in the spool.
    audit: AbortHandle,
}

impl Serving {
    fn begin(app: &App, installation: &Installation, sockets: &Sockets) -> Result<Self> {
        let mut listeners = sockets.duplicates()?.into_iter().map(TcpListener::from_std);
        let listener = listeners.next().ok_or_else(|| Failure::Other("there is no listener".to_owned()))?;
        let (listener, admin) = (listener.map_err(io("the listener"))?, listeners.next());
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            match stopped.await {
                Ok(deadline) => deadline,
                // The handle is gone, and then nobody else would end it.
                Err(_) => std::future::pending().await,
            }
        };
        let admin = admin.transpose().map_err(io("the admin listener"))?;
        let edge = tokio::spawn(edge::serve(app.clone(), listener, admin, stopped));
        let (stop_job, job_stopped) = watch::channel(false);
        let features = &installation.features;
        let (identity, toolkits) = (features.identity.job(job_stopped.clone()), features.toolkits.job(job_stopped));
        let job = tokio::spawn(async move {
            tokio::join!(identity, toolkits);
        });
        let audit = tokio::spawn(features.audit.job()).abort_handle();
        Ok(Self { stop: Some((stop, stop_job)), edge: Some(edge), job, audit })
    }

    /// Ends all of it within the deadline, and what has not ended then at once. It may be called again where waiting
    /// for it was given up.
    async fn end(&mut self, deadline: Duration) -> Result<()> {
        let latest = Instant::now() + deadline;
        if let Some((stop, stop_job)) = self.stop.take() {
            let _ = stop.send(deadline);
            let _ = stop_job.send(true);
        }
        let served = match &mut self.edge {
            Some(edge) => edge.await.map_err(|error| Failure::Other(format!("the server ended: {error}")))?,
            None => Ok(()),
        };
        self.edge = None;
        self.audit.abort();
        if !self.job.is_finished() && timeout_at(latest, &mut self.job).await.is_err() {
            tracing::warn!("the work in the background did not end in time and is cut off");
            self.job.abort();
        }
        served.map_err(io("the listener"))
    }
}

/// Writes down what sessions did, as far as there is time.
async fn flush(installation: &Installation) {
    let time = installation.config.server.restart_flush_timeout.0;
    if timeout(time, installation.features.identity.flush()).await.is_err() {
        tracing::warn!("what sessions did could not be written down in time");
    }
}

/// Opens the installation. Where connections wait already it waits for its database, too: ending would refuse them.
async fn open(config: Config, spool: Arc<Spool>, patient: bool) -> Result<Installation> {
    loop {
        match Installation::audited(config.clone(), Arc::clone(&spool)).await {
            Err(Failure::Refused(error)) if patient && error.reason == Reason::DatabaseUnavailable => {
                tracing::warn!(%error, "the control database cannot be reached and is tried again");
                sleep(PATIENCE).await;
            }
            opened => return opened,
        }
    }
}

/// Whoever may name any address as the client's own stands at every desk.
fn warn_of_trust(config: &Config) {
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

/// The address as a browser on this machine can use it.
fn url(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}")
}

/// The limits on the rate: what the files say, and over them the table of the first tenant.
async fn rate_limit(installation: &Installation) -> RateLimitConfig {
    let files = installation.config.server.rate_limit.clone();
    let table = match timeout(LIMITS_TIMEOUT, installation.features.settings.of_the_server()).await {
        Ok(Ok(table)) => table,
        Ok(Err(error)) => {
            tracing::error!(%error, "the first tenant's limits on the rate cannot be read; those of the files are kept");
            return files;
        }
        Err(_elapsed) => {
            tracing::error!("the first tenant's database does not answer; the files' limits on the rate are kept");
            return files;
        }
    };
    RateLimitConfig {
        enabled: table.enable_rate_limiting.unwrap_or(files.enabled),
        auth_per_second: table.auth_rate_limit_per_second.unwrap_or(files.auth_per_second),
        auth_per_minute: table.auth_rate_limit_per_minute.unwrap_or(files.auth_per_minute),
        api_per_second: table.api_rate_limit_per_second.unwrap_or(files.api_per_second),
        api_per_minute: table.api_rate_limit_per_minute.unwrap_or(files.api_per_minute),
    }
}

/// The HTTP application of an installation.
pub(crate) fn app(installation: &Installation, rate_limit: RateLimitConfig) -> App {
    let edge = Edge {
        config: EdgeConfig { rate_limit, ..installation.config.server.clone() },
        directory: Arc::clone(&installation.tenants) as _,
        authenticator: Arc::clone(&installation.features.identity) as _,
        probe: Arc::clone(&installation.tenants) as _,
        statements: store::statements,
        build: BUILD,
    };
    edge::app(edge, installation.features.routes())
}
