//! `insula config …`.

mod check;
mod convert;
mod schema;

use std::path::PathBuf;

use clap::Subcommand;

pub(super) use self::check::told;

use super::Output;
use crate::{
    config::{Loaded, Mistakes},
    failure::Result,
};

/// Check, show and convert the configuration.
#[derive(Subcommand)]
pub(super) enum Config {
    /// Tell every mistake with its place and what may be meant
    #[command(
        after_help = "Examples:\n  insula config check --config insula.toml\n  insula config check --all-tenants"
    )]
    Check(check::Check),
    /// Print the settings in force and where those were written that are not defaults; secrets are ***
    #[command(after_help = "Example:\n  INSULA_SERVER__PORT=8080 insula config show")]
    Show,
    /// Print the JSON Schema of a configuration file, for editors
    #[command(after_help = "Examples:\n  insula config schema > insula.schema.json\n  \
        insula config schema --all --to schemas")]
    Schema(schema::Schema),
    /// Make insula.toml and toolkits out of another server's files
    #[command(after_help = "Example:\n  insula config import --from seckelapi ./seckelapi --to ./site")]
    Import(convert::Import),
    /// Make another server's files out of insula.toml and toolkits
    #[command(after_help = "Example:\n  insula config export --to seckelapi ./seckelapi")]
    Export(convert::Export),
}

impl Config {
    pub(super) async fn run(
        self,
        output: Output,
        loaded: Result<Loaded, Mistakes>,
        asked: Option<PathBuf>,
    ) -> Result<()> {
        match self {
            Self::Check(command) => command.run(output, loaded).await,
            Self::Show => {
                let loaded = loaded?;
                output.print(&loaded.to_json(), || loaded.to_toml());
                Ok(())
            }
            Self::Schema(command) => command.run(output),
            Self::Import(command) => command.run(output, loaded, asked),
            Self::Export(command) => command.run(output, &loaded?),
        }
    }
}
