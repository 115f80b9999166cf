//! `insula key …`: API keys, and the key of the installation.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kernel::seal::SealingKey;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    Done, Output, Which,
    api_key::ApiKey,
    key_import::{KeyImportArgs, Secret},
};
use crate::{Installation, failure::Result, master_key, transfer::Progress};

/// Make, list, rotate and revoke API keys, and change the key of the installation.
#[derive(Subcommand)]
pub(super) enum Key {
    #[command(flatten)]
    Api(ApiKey),
    /// Move the API keys of another back end in
    Import(KeyImportArgs),
    /// List, show and remove secrets of outside services that were imported among old keys
    #[command(subcommand)]
    Secret(Secret),
    /// Seal the tenants' keys under another key of the installation, while servers run
    #[command(after_help = "Examples:\n  insula key rotate-master\n  \
        insula key rotate-master --to-file /etc/insula/master.key.new")]
    RotateMaster(RotateMaster),
    /// Make a new key that signs a tenant's session tokens; those of the one before stay good until they end
    #[command(after_help = "Example:\n  insula key rotate-signing --tenant shop")]
    RotateSigning(Which),
}

/// The key of the data folder is replaced at once. A configured one takes two steps, so that nodes can be restarted one
/// by one: make another key (`--to-file` or `--generate`) and configure it as `master_key` with the old one as
/// `previous_master_key`; then run this again without either.
#[derive(Args)]
pub(super) struct RotateMaster {
    /// Only write a new key to this file, to be configured; one that is there is taken
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    to_file: Option<PathBuf>,
    /// Only print a new key, to be put into a secret manager
    #[arg(long)]
    generate: bool,
}

impl Key {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        match self {
            Self::Api(command) => command.run(installation, output).await,
            Self::Import(command) => command.run(installation, output).await,
            Self::Secret(command) => command.run(installation, output).await,
            Self::RotateMaster(command) => command.run(installation, output).await,
            Self::RotateSigning(which) => rotate_signing(installation, which, output).await,
        }
    }
}

/// What to do with a key that was made and is not used yet.
const NEXT: &str = "Next, on every node, one after the other: set the new key as master_key and the one in use as \
    previous_master_key, and restart it.\nThen, once: insula key rotate-master. After that previous_master_key can go.";

async fn rotate_signing(installation: &Installation, which: Which, output: Output) -> Result<()> {
    let record = installation.record(which.tenant.as_deref()).await?;
    let kid = installation.features.identity.rotate_signing_keys(&record.tenant).await?;
    let name = &record.tenant.name;
    let value = json!({ "tenant": name, "kid": kid });
    output.print(&value, || {
        format!("Session tokens of {name} are signed with {kid} now; running servers follow within a minute.")
    });
    Ok(())
}

impl RotateMaster {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        if let Some(file) = self.to_file {
            let key = master_key::make_file(&file)?;
            let value = json!({ "rewrapped": 0, "key_id": key.id(), "file": file });
            output.print(&value, || format!("The new key {} is in {}.\n{NEXT}", key.id(), file.display()));
            return Ok(());
        }
        if self.generate {
            let key = SealingKey::generate();
            if !output.json {
                eprintln!("The new key {} follows.\n{NEXT}", key.id());
            }
            let value = json!({ "rewrapped": 0, "key_id": key.id(), "key": key.to_text() });
            output.print(&value, || key.to_text());
            return Ok(());
        }
        let total = installation.tenants.list().await?.len() as u64;
        let progress = Mutex::new(Progress::new("rotate-master", Some(total)).counting("tenants"));
        let tell = move |done| progress.lock().at(done, done);
        let rotated = installation.master.rotate(&installation.tenants, tell).await;
        Done { action: "rotate-master", ..Done::default() }.audit(&rotated);
        let rotated = rotated?;
        let value = json!({ "rewrapped": rotated.rewrapped, "key_id": rotated.key_id });
        output.print(&value, || {
            format!(
                "{} tenants are under the key {} now. Backups from before open with the old key alone.",
                rotated.rewrapped, rotated.key_id
            )
        });
        Ok(())
    }
}
