//! `insula openapi`.

use std::io::Write;

use clap::Args;

use crate::{
    Config, Installation,
    failure::{Failure, Result, io},
    server,
};

/// Print the OpenAPI document that the server has at /openapi.json.
#[derive(Args)]
#[command(after_help = "Example:\n  insula openapi > openapi.json")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) async fn run(self, config: Config) -> Result<()> {
        // The document does not depend on what is kept, so that an empty installation will do.
        let folder = tempfile::tempdir().map_err(io("a temporary folder"))?;
        let config = Config { data: folder.path().to_owned(), store: store::StoreConfig::default(), ..config };
        let installation = Installation::open(config).await?;
        let document = server::app(&installation, installation.config.server.rate_limit.clone())
            .openapi()
            .to_pretty_json()
            .map_err(|error| Failure::Other(format!("the document cannot be written: {error}")))?;
        let _ = writeln!(std::io::stdout().lock(), "{document}");
        Ok(())
    }
}
