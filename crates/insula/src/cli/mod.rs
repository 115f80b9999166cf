//! The command line.

mod api_key;
mod audit;
mod config;
mod export;
mod group;
mod import;
mod init;
mod key;
mod key_import;
mod migrate;
mod openapi;
mod output;
mod serve;
mod settings;
mod tenant;
mod toolkit;
mod user;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use ::audit::Spool;
use clap::{Args, CommandFactory, Parser, Subcommand};
use kernel::{LogContext, log_context::Origin};

use self::output::Output;
use crate::{
    Installation, Process,
    config::{Config, Loaded, Mistakes, Sources, load},
    failure::{Failure, Result},
    log,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
  3  something that was asked for does not exist
  4  conflict: the name is taken, or another change came first

Settings are read from insula.toml, then from the environment (INSULA_SERVER__PORT=8080), then from flags.
Every command works on the data folder, also while a server runs on it.";

/// One program that serves many isolated back ends: users, rules and a JSON API over SQL.
#[derive(Parser)]
#[command(name = "insula", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args)]
struct Global {
    /// The folder with everything that is kept [default: insula-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file [default: insula.toml in the data folder or here]
    #[arg(long, global = true, value_name = "FILE", env = "INSULA_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

/// Which tenant a command is about.
#[derive(Args)]
struct Which {
    /// The tenant [default: the first]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until a signal ends it
    Serve(serve::Serve),
    /// Make the first tenant and its administrator
    Init(init::Init),
    /// Make, list, change and remove tenants
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Make, list and change the users of a tenant
    #[command(subcommand)]
    User(user::User),
    /// List, change and remove the groups of a tenant: their power, rules and limits
    #[command(subcommand)]
    Group(group::Group),
    /// Make, list, rotate, revoke and import API keys, and change the key of the installation
    #[command(subcommand)]
    Key(key::Key),
    /// Check, list and call the toolkits of a tenant, and say who has which place in them
    #[command(subcommand)]
    Toolkit(toolkit::Toolkit),
    /// List, keep and forget the settings that a tenant has in its database
    #[command(subcommand)]
    Settings(settings::Settings),
    /// Show who did what in a tenant
    Audit(audit::Audit),
    /// Apply the SQL files of a tenant's `migrations` folder
    Migrate(migrate::Migrate),
    /// Read rows from a CSV or JSON lines file into a table
    Import(import::Import),
    /// Write the rows of a table or view as CSV or JSON lines
    Export(export::Export),
    /// Check, show and convert the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Print the OpenAPI document
    Openapi(openapi::Openapi),
}

impl Cli {
    /// Runs the command and tells on standard error why it failed.
    pub async fn run(self, process: Process) -> ExitCode {
        let output = Output { json: self.global.json };
        let done = Box::pin(self.dispatch(output, process)).await;
        log::flush();
        let Err(failure) = done else { return ExitCode::SUCCESS };
        output.failure(&failure);
        ExitCode::from(failure.exit_code())
    }

    async fn dispatch(self, output: Output, process: Process) -> Result<()> {
        let Self { global, command } = self;
        let listen = match &command {
            Command::Serve(serve) => serve.listen.clone(),
            _ => None,
        };
        let loaded = global.load(listen);
        let asked = global.config;
        if let Command::Config(command) = command {
            return command.run(output, loaded, asked).await;
        }
        if matches!(&command, Command::Serve(serve) if serve.check) {
            return serve::check(loaded).await;
        }
        let Loaded { mut config, origins, .. } = loaded?;
        if !matches!(command, Command::Serve(_)) && !origins.contains_key("log.level") {
            // Commands say themselves what they do.
            "warn".clone_into(&mut config.log.level);
        }
        let spool = log::start(&config);
        let origin = Origin::Command { words: words(), system_user: rustix::process::getuid().as_raw() };
        match command {
            Command::Serve(command) => command.run(config, spool, output, process).await,
            Command::Openapi(command) => command.run(config).await,
            // Files by name need no installation.
            Command::Toolkit(toolkit::Toolkit::Check(check)) if check.names_files() => check.run_on_files(output),
            command => LogContext::new(origin).scope(Box::pin(command.work(config, spool, output))).await,
        }
    }
}

impl Command {
    /// Runs a command that works on an installation.
    async fn work(self, config: Config, spool: Arc<Spool>, output: Output) -> Result<()> {
        let installation = match self {
            Self::Init(_) | Self::Tenant(_) => Installation::audited(config, spool).await?,
            _ => existing(config, spool).await?,
        };
        let done = match self {
            Self::Init(command) => command.run(&installation, output).await,
            Self::Tenant(command) => command.run(&installation, output).await,
            Self::User(command) => command.run(&installation, output).await,
            Self::Group(command) => command.run(&installation, output).await,
            Self::Key(command) => command.run(&installation, output).await,
            Self::Toolkit(command) => command.run(&installation, output).await,
            Self::Settings(command) => command.run(&installation, output).await,
            Self::Audit(command) => command.run(&installation, output).await,
            Self::Migrate(command) => command.run(&installation, output).await,
            Self::Import(command) => command.run(&installation, output).await,
            Self::Export(command) => command.run(&installation, output).await,
            Self::Serve(_) | Self::Openapi(_) | Self::Config(_) => Ok(()),
        };
        installation.features.audit.finish().await;
        done
    }
}

/// What a command did, for the audit log. Without a tenant it is about the installation, and the first tenant's log has it.
#[derive(Default)]
struct Done<'a> {
    action: &'static str,
    tenant: Option<&'a str>,
    of: Option<&'a str>,
    table: Option<&'a str>,
    rows: Option<u64>,
}

impl Done<'_> {
    /// Writes it down, with how it went.
    fn audit<T>(&self, outcome: &Result<T>) {
        let Self { action, tenant, of, table, rows } = *self;
        let outcome = outcome.as_ref().err().map_or("ok", |failure| failure.reason().unwrap_or("failed"));
        tracing::info!(target: "audit", action, outcome, tenant, of, table, rows_affected = rows);
    }
}

/// The URL of a database from the command line, or from a file, so that no list of processes shows its password.
fn given_url(given: Option<String>, file: Option<PathBuf>) -> Result<Option<String>> {
    match (given, file) {
        (None, Some(file)) => crate::config::read_secret(&file).map(Some).map_err(Failure::Usage),
        (given, _) => Ok(given),
    }
}

/// The command as it was typed, without what it was given: `insula user create`.
fn words() -> String {
    let matches = Cli::command().try_get_matches_from(std::env::args_os()).ok();
    let mut words = "insula".to_owned();
    let mut below = matches.as_ref().and_then(clap::ArgMatches::subcommand);
    while let Some((word, matches)) = below {
        words.push(' ');
        words.push_str(word);
        below = matches.subcommand();
    }
    words
}

/// The installation of a command that needs one to be there: a mistyped folder shall not become one.
async fn existing(config: Config, spool: Arc<Spool>) -> Result<Installation> {
    if config.data.is_dir() {
        return Installation::audited(config, spool).await;
    }
    let data = config.data.display();
    Err(Failure::Missing(format!("there is no folder {data}; make an installation: insula init --domain example.com")))
}

impl Global {
    fn load(&self, listen: Option<String>) -> Result<Loaded, Mistakes> {
        let mut flags = Vec::new();
        if let Some(data) = &self.data {
            flags.push(("data", "--data", data.to_string_lossy().into_owned()));
        }
        if let Some(listen) = listen {
            let key = if listen.parse::<u16>().is_ok() { "server.port" } else { "server.listen" };
            flags.push((key, "--listen", listen));
        }
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        load(&Sources { file: self.config.clone(), environment: std::env::vars_os().filter_map(text).collect(), flags })
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{Command, CommandFactory};

    /// Every command that does something shows how it is used.
    #[test]
    fn every_command_has_an_example() {
        fn look(command: &Command) {
            if command.get_name() == "help" {
                return;
            }
            let leaf = command.get_subcommands().next().is_none();
            let example = command.get_after_help().is_some_and(|help| help.to_string().contains("insula "));
            assert!(!leaf || example, "{} has no example", command.get_name());
            command.get_subcommands().for_each(look);
        }
        Cli::command().debug_assert();
        look(&Cli::command());
    }
}
