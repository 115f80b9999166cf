//! `insula serve`.

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use audit::Spool;
use clap::Args;
use edge::EdgeConfig;
use kernel::{Reason, restart::RestartKind};
use serde_json::json;
use store::Tenants;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use super::{Output, config};
use crate::{
    Config, Options, Process, Server,
    config::{Loaded, Mistakes},
    demo,
    failure::{Failure, Result, io},
    features, master_key, open_files,
    restart::{self, Due},
    setup_token,
};

/// Time for the control database in a check. It is a part of that which the server gives the check.
const PATIENCE: Duration = Duration::from_secs(4);

/// Serve until SIGTERM or SIGINT ends it: running requests are finished, a second signal ends it at once. SIGUSR2
/// restarts it on the same sockets.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  insula serve --demo\n  insula serve --data /var/lib/insula --listen 127.0.0.1:8080"
)]
pub(super) struct Serve {
    /// Make a tenant with data, accounts and rules to try things on, and show how
    #[arg(long)]
    demo: bool,
    /// Address and port, or a port alone [default: 127.0.0.1:5777]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// A file to write once the server listens, with its address as JSON
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Tell as JSON whether it could serve, and end: what a server asks that is about to restart
    #[arg(long, hide = true)]
    pub(super) check: bool,
}

impl Serve {
    pub(super) async fn run(
        self,
        mut config: Config,
        spool: Arc<Spool>,
        output: Output,
        process: Process,
    ) -> Result<()> {
        let Process { program, sockets } = process;
        let mut signals = Signals::new()?;
        bound_by_files(&mut config);
        let restarted = sockets.from_predecessor;
        let starting = Server::start_on(Options { config, demo: self.demo, spool: Some(spool) }, sockets);
        let mut server = tokio::select! {
            started = Box::pin(starting) => started?,
            () = signals.stop() => return Ok(()),
        };
        server.offer_restarts(program);
        if let Some(file) = &self.ready_file {
            server.ready().write(file)?;
        }
        if restarted {
            tracing::info!(address = %server.address(), "restarted");
        } else {
            output.print(server.ready(), || welcome(&server));
            let _ = std::io::stdout().flush();
        }
        while let Next::Restart(due) = next(&mut signals, &mut server).await? {
            tokio::select! {
                failed = Box::pin(server.restart(due)) => failed?,
                () = signals.stop() => break,
            }
        }
        tracing::info!("stopping; running requests are finished, a second signal ends at once");
        tokio::select! {
            stopped = server.stop() => stopped,
            () = signals.stop() => {
                tracing::warn!("ended at once");
                crate::log::flush();
                std::process::exit(1);
            }
        }
    }
}

/// Raises the limit on open files, and keeps no more tenants open than there may be files.
fn bound_by_files(config: &mut Config) {
    let Some(most) = open_files::raise() else { return };
    let wanted = config.store.max_open;
    if config.store.database.expose() == "sqlite" && wanted > most {
        tracing::info!(wanted, most, "fewer tenants are kept open than store.max_open says: the limit on open files");
        config.store.max_open = most;
    }
}

/// What a running server does next.
enum Next {
    Stop,
    Restart(Due),
}

async fn next(signals: &mut Signals, server: &mut Server) -> Result<Next> {
    let by_signal = Due { kind: RestartKind::Graceful, next: None };
    let due = server.restart_due();
    tokio::select! {
        _ = signals.terminate.recv() => Ok(Next::Stop),
        _ = signals.interrupt.recv() => Ok(Next::Stop),
        _ = signals.restart.recv() => Ok(Next::Restart(by_signal)),
        due = due => Ok(Next::Restart(due)),
        failure = server.ended() => Err(failure),
    }
}

/// What `serve --check` answers to a server that would restart.
pub(super) async fn check(loaded: Result<Loaded, Mistakes>) -> Result<()> {
    let output = Output { json: true };
    match loaded {
        Ok(Loaded { config, .. }) => {
            if let Err(failure) = check_control(&config).await {
                if let Some(refused) = tellable(&failure) {
                    output.print(&json!({ "success": false, "refused": refused }), String::new);
                }
                return Err(failure);
            }
            let EdgeConfig { listen, admin_listen, .. } = config.server;
            output.print(&json!({ "success": true, "listen": listen, "admin_listen": admin_listen }), String::new);
            Ok(())
        }
        Err(mistakes) => {
            output.print(&config::told(&mistakes), String::new);
            Err(mistakes.into())
        }
    }
}

/// Whether the control database and the installation's key are those that belong together, without a change to either.
async fn check_control(config: &Config) -> Result<()> {
    let keys = master_key::Given::present(config).await?.keys();
    let check = Tenants::check(&config.data, &config.store, keys, features::control_migrations());
    match timeout(PATIENCE, check).await {
        Ok(checked) => Ok(checked?),
        Err(_elapsed) => Err(kernel::Error::plain(Reason::DatabaseUnavailable).into()),
    }
}

/// A failure as whoever asked over HTTP may know it; what names files is for the log alone.
fn tellable(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Refused(error) if error.reason == Reason::DatabaseUnavailable => {
            Some("its control database cannot be reached".to_owned())
        }
        Failure::Refused(error) if error.reason == Reason::SecretsUnreadable => Some(error.message.clone()),
        // What the steps of the control database are.
        Failure::Other(message) => Some(format!("its control database: {message}")),
        _ => None,
    }
}

/// The signals that ask something of a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    restart: Signal,
}

impl Signals {
    /// To be called on the main thread.
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(io("signals"));
        let (terminate, interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let restart = listen(SignalKind::from_raw(restart::SIGNAL as i32))?;
        restart::let_signal_through().map_err(io("signals"))?;
        Ok(Self { terminate, interrupt, restart })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What to know and what to do first.
fn welcome(server: &Server) -> String {
    let ready = server.ready();
    let config = &server.installation().config;
    let data = if config.data == Config::default().data {
        String::new()
    } else {
        format!(" --data {}", config.data.display())
    };
    let next = match (&ready.tenant, &ready.accounts) {
        (Some(tenant), Some(accounts)) => demo::tour(&ready.url, tenant, accounts),
        (Some(tenant), None) => format!(
            "First tenant:     {tenant}\n\nNext steps\n  insula user create uma --group users{data}\n  \
             insula group set users --rule items:rwo{data}\n  \
             insula migrate{data}   # the SQL files in the tenant's migrations folder\n"
        ),
        (None, _) => format!(
            "\nThere is no tenant yet. Make the first on this machine:\n  insula init --domain example.com{data}\n\
             or from elsewhere through your HTTPS proxy, with the setup token in X-Setup-Token:\n  \
             POST /api/insula/init {{\"domain\":\"example.com\"}}\nSetup token:      {} (kept in {})\n",
            setup_token::get_or_make(config).map(|token| token.expose().to_owned()).unwrap_or_default(),
            setup_token::file(config).display(),
        ),
    };
    format!("Insula listens on {0}\nAPI reference:    {0}/docs\n{next}", ready.url)
}
