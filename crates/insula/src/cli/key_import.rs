//! `insula key import` and `insula key secret …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use identity::ImportAs;
use serde_json::json;
use store::OpenTenant;
use uuid::Uuid;

use super::{
    Done, Output, Which,
    api_key::{Kind, user},
    given_url,
};
use crate::{
    Installation,
    failure::{Failure, Result},
    key_import::{Class, Columns, KeyFile, KeyImport, KeyTable, Source},
    transfer::{Format, Progress, own_table},
};

/// Read the API keys of another back end from a file, from a table beside the tenant's own, or from another database.
///
/// Each key is classified. A strong key in the clear can be used for 30 days, so that its users have time to rotate it;
/// hashes, what was enciphered and weak keys cannot be used and have to be made anew; secrets of outside services are
/// sealed. Then the old column is blanked. Without --apply nothing is written, here or there.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  insula key import keys.csv --column api_key --owner-column username --scope data.read\n  \
    insula key import --table legacy_keys --column api_key --owner-column user_id --scope data.read --apply\n  \
    insula key import --from mysql://user:password@host/shop --table legacy_keys --column api_key --user uma --apply"
)]
pub(super) struct KeyImportArgs {
    /// A CSV file with a header, or a file with a JSON object a line
    #[arg(required_unless_present = "table", conflicts_with = "table")]
    file: Option<PathBuf>,
    /// What the file is [default: by its ending]
    #[arg(long)]
    format: Option<Format>,
    /// The database of the table: postgres://…, mysql://… or sqlite://… [default: the tenant's own]
    #[arg(long, value_name = "URL", requires = "table", conflicts_with = "from_file")]
    from: Option<String>,
    /// The same, from a file, so that no list of processes shows its password
    #[arg(long, value_name = "FILE", requires = "table")]
    from_file: Option<PathBuf>,
    /// The table
    #[arg(long)]
    table: Option<String>,
    /// The column with the keys
    #[arg(long)]
    column: String,
    /// The column that tells rows apart [default: the table's key]
    #[arg(long, value_name = "COLUMN")]
    id_column: Option<String>,
    /// The column with the keys' owners: their ids, numbers, names or e-mail addresses here
    #[arg(long, value_name = "COLUMN")]
    owner_column: Option<String>,
    /// The column with the keys' names
    #[arg(long, value_name = "COLUMN")]
    name_column: Option<String>,
    /// Whose keys are that have no owner who is known here
    #[arg(long)]
    user: Option<String>,
    /// What the keys become: pat or sk
    #[arg(long, default_value = "pat")]
    kind: Kind,
    /// The group that server keys act as [default: those of their users]
    #[arg(long)]
    group: Option<String>,
    /// An ability that the keys may use, as far as their owners have it; may be repeated
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// What all keys are, where their looks deceive
    #[arg(long, default_value = "auto")]
    class: As,
    /// Write what may be kept, and blank the old column
    #[arg(long)]
    apply: bool,
    /// Leave the old column as it is
    #[arg(long)]
    keep_source: bool,
    #[command(flatten)]
    which: Which,
}

/// What all keys are.
#[derive(Clone, Copy, ValueEnum)]
enum As {
    /// By their looks, each on its own
    Auto,
    /// Keys in the clear
    Raw,
    /// Hashes
    Hash,
    /// Enciphered
    Cipher,
    /// Secrets of outside services
    ThirdParty,
}

impl As {
    fn class(self) -> Option<fn(&str) -> Class> {
        match self {
            Self::Auto => None,
            Self::Raw => Some(Class::in_the_clear),
            Self::Hash => Some(|_| Class::Hash),
            Self::Cipher => Some(|_| Class::Cipher),
            Self::ThirdParty => Some(Class::outside),
        }
    }
}

impl KeyImportArgs {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let identity = &*installation.features.identity;
        let fallback = match &self.user {
            Some(name) => Some(user(identity, &open, name).await?),
            None => None,
        };
        let rules = ImportAs { kind: self.kind.into(), group: self.group.clone(), scopes: self.scopes.clone() };
        if matches!(self.kind, Kind::Pk) {
            return Err(Failure::Usage("what was a secret cannot become a publishable key".to_owned()));
        }
        let import = KeyImport {
            identity,
            open: &open,
            rules: identity.import(&open, rules).await?,
            source: self.source(installation, &open).await?,
            class: self.class.class(),
            fallback,
            apply: self.apply,
            keep_source: self.keep_source,
        };
        let mut progress = Progress::new("key import", None);
        let report = import.run(&mut progress).await;
        drop(progress);
        if self.apply {
            let rows = report.as_ref().ok().map(|report| report.rows);
            Done { action: "key-import", tenant: Some(&open.tenant.name), rows, ..Done::default() }.audit(&report);
        }
        let report = report?;
        output.print(&report, || report.describe());
        Ok(())
    }

    async fn source(&self, installation: &Installation, open: &OpenTenant) -> Result<Source> {
        let columns = Columns {
            key: self.column.clone(),
            id: self.id_column.clone(),
            owner: self.owner_column.clone(),
            name: self.name_column.clone(),
        };
        if let Some(file) = &self.file {
            let format = Format::of(self.format, file)?;
            return Ok(Source::File(KeyFile::new(file.clone(), format, columns)));
        }
        let from = given_url(self.from.clone(), self.from_file.clone())?;
        let (database, label) = match &from {
            Some(url) => (installation.tenants.outside(url).await?, place(url)),
            None => (open.data.clone(), String::new()),
        };
        let name = self.table.as_deref().unwrap_or_default();
        let table = own_table(&database, name)?;
        Ok(Source::Table(Box::new(KeyTable::new(database, table, &columns, label)?)))
    }
}

/// Where a database is, without whoever may enter it: the host and the database of its URL.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    format!("{rest}/")
}

/// Secrets of outside services that were imported among old keys.
#[derive(Subcommand)]
pub(super) enum Secret {
    /// List them, without the secrets themselves
    #[command(after_help = "Example:\n  insula key secret list")]
    List(ListSecrets),
    /// Print one
    #[command(after_help = "Example:\n  insula key secret reveal 01985c2e-0000-7000-8000-000000000000")]
    Reveal(OneSecret),
    /// Remove one, once it was rotated where it was made
    #[command(after_help = "Example:\n  insula key secret remove 01985c2e-0000-7000-8000-000000000000")]
    Remove(OneSecret),
}

#[derive(Args)]
pub(super) struct ListSecrets {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct OneSecret {
    /// The secret's id
    id: Uuid,
    #[command(flatten)]
    which: Which,
}

impl Secret {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let which = match &self {
            Self::List(list) => &list.which,
            Self::Reveal(one) | Self::Remove(one) => &one.which,
        };
        let (_, open) = installation.open_tenant(which.tenant.as_deref()).await?;
        let identity = &*installation.features.identity;
        match self {
            Self::List(_) => {
                let secrets = identity.imported_secrets(&open).await?;
                let shown: Vec<_> = secrets
                    .iter()
                    .map(|it| {
                        let created_at = kernel::time::rfc3339(it.created_at);
                        json!({ "id": it.id, "provider": it.provider, "imported_from": it.imported_from, "created_at": created_at })
                    })
                    .collect();
                output.list(&shown, &["ID", "PROVIDER", "IMPORTED FROM", "AT"], |secret| {
                    let field = |name: &str| secret[name].as_str().unwrap_or_default().to_owned();
                    ["id", "provider", "imported_from", "created_at"].map(field).into()
                });
            }
            Self::Reveal(OneSecret { id, .. }) => {
                let secret = identity.reveal_imported_secret(&open, id).await?;
                output.print(&json!({ "id": id, "secret": secret.expose() }), || secret.expose().to_owned());
            }
            Self::Remove(OneSecret { id, .. }) => {
                identity.remove_imported_secret(&open, id).await?;
                output.print(&json!({ "removed": id }), || format!("The secret {id} is gone."));
            }
        }
        Ok(())
    }
}
