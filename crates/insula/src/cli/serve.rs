//! `insula serve`.

use std::{io::Write, path::PathBuf, sync::Arc};

use audit::Spool;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Output;
use crate::{
    Config, Options, Server, demo,
    failure::{Result, io},
    setup_token,
};

/// Serve until SIGTERM or SIGINT ends it: running requests are finished, a second signal ends it at once.
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
}

impl Serve {
    pub(super) async fn run(self, config: Config, spool: Arc<Spool>, output: Output) -> Result<()> {
        let mut stop = Stop::new()?;
        let mut server = Server::start(Options { config, demo: self.demo, spool: Some(spool) }).await?;
        if let Some(file) = &self.ready_file {
            server.ready().write(file)?;
        }
        output.print(server.ready(), || welcome(&server));
        let _ = std::io::stdout().flush();
        tokio::select! {
            () = stop.asked() => {}
            failure = server.ended() => return Err(failure),
        }
        tracing::info!("stopping; running requests are finished, a second signal ends at once");
        tokio::select! {
            stopped = server.stop() => stopped,
            () = stop.asked() => {
                tracing::warn!("ended at once");
                std::process::exit(1);
            }
        }
    }
}

/// The signals that ask a server to end.
struct Stop(Signal, Signal);

impl Stop {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(io("signals"));
        Ok(Self(listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?))
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
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
