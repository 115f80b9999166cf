//! `insula settings …`.

use clap::{Args, Subcommand};
use kernel::{Overrides, Tenant, WriteContext};
use serde_json::Value as Json;
use settings::{Author, Shown};

use super::{Output, Which, output::or_dash};
use crate::{
    Installation,
    failure::{Failure, Result},
};

/// List, keep and forget the settings that a tenant has in its database.
///
/// A running server hears of a change by `POST /reload`, of limits on the rate at its next start.
#[derive(Subcommand)]
pub(super) enum Settings {
    /// List all settings: what is in force and where it comes from
    #[command(after_help = "Example:\n  insula settings list")]
    List(List),
    /// Keep a value in the tenant's database
    #[command(after_help = "Examples:\n  insula settings set session_timeout_minutes 15\n  \
        insula settings set whitelisted_pin_ips '[\"192.0.2.0/24\"]' --description 'The till'")]
    Set(Set),
    /// Forget a value, so that the files decide again
    #[command(after_help = "Example:\n  insula settings unset session_timeout_minutes")]
    Unset(Unset),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Set {
    /// The setting
    name: String,
    /// Its value; a list as JSON
    value: String,
    /// What it is for; '' for nothing
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Unset {
    /// The setting
    name: String,
    #[command(flatten)]
    which: Which,
}

impl Settings {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let author = Author { context: WriteContext::system(), client: None };
        let table = &installation.features.settings;
        match self {
            Self::List(List { which }) => {
                let record = installation.record(which.tenant.as_deref()).await?;
                tell(&shown(installation, &record.tenant).await?, output);
            }
            Self::Set(Set { name, value, description, which }) => {
                let record = installation.record(which.tenant.as_deref()).await?;
                let value = typed(&name, value)?;
                table.set(&author, &record.tenant, &name, value, description).await?;
                let mut shown = shown(installation, &record.tenant).await?;
                shown.retain(|shown| shown.setting == name);
                tell(&shown, output);
            }
            Self::Unset(Unset { name, which }) => {
                let record = installation.record(which.tenant.as_deref()).await?;
                table.unset(&author, &record.tenant, &name).await?;
                output.print(&serde_json::json!({ "removed": name }), || format!("{name} is left to the files."));
            }
        }
        Ok(())
    }
}

async fn shown(installation: &Installation, tenant: &Tenant) -> Result<Vec<Shown>> {
    Ok(installation.features.settings.shown(tenant, &*installation.features.identity).await?)
}

/// What was typed, as the setting's type has it.
fn typed(name: &str, text: String) -> Result<Json> {
    let mut said = Overrides::default();
    match said.set_text(name, &text) {
        Ok(()) => Ok(said.get(name).unwrap_or_default()),
        Err(_) if kernel::settings::by_name(name).is_none() => Ok(Json::String(text)),
        Err(mistake) => Err(Failure::Usage(format!("{name}: {mistake}"))),
    }
}

fn tell(shown: &[Shown], output: Output) {
    output.list(shown, &["SETTING", "VALUE", "FROM", "IN THE TABLE", "FOR"], |shown| {
        let value = shown.value.as_str().map_or_else(|| shown.value.to_string(), str::to_owned);
        vec![
            shown.setting.to_owned(),
            value,
            shown.source.word().replace('_', " "),
            or_dash(shown.table.as_deref()),
            or_dash(shown.description.as_deref()),
        ]
    });
}
