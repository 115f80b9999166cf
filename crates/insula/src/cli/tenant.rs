//! `insula tenant …`.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use kernel::{TenantStatus, WriteContext, time};
use serde::Serialize;
use store::{NewTenant, TenantRecord};

use super::{Done, Output, given_url, output::or_dash};
use crate::{
    Installation,
    export_tenant::{Exported, export_to_folder},
    failure::{Failure, Result, io},
    transfer::Progress,
};

/// Make, list, change and remove tenants.
#[derive(Subcommand)]
pub(super) enum Tenant {
    /// Make a tenant
    #[command(after_help = "Examples:\n  insula tenant create shop --domain shop.example\n  \
        insula tenant create crm --domain crm.example --database 'postgres://user@host/db?schema=public'\n  \
        insula tenant create crm --domain crm.example --database-file crm.url")]
    Create(Create),
    /// List all tenants
    #[command(after_help = "Example:\n  insula tenant list --json")]
    List,
    /// Show one tenant
    #[command(after_help = "Example:\n  insula tenant show shop")]
    Show(Named),
    /// Let a tenant answer no more, its data kept
    #[command(after_help = "Example:\n  insula tenant suspend shop")]
    Suspend(Named),
    /// Let a suspended tenant answer again
    #[command(after_help = "Example:\n  insula tenant resume shop")]
    Resume(Named),
    /// Change a tenant
    #[command(after_help = "Examples:\n  insula tenant set shop --cors-origin https://shop.example\n  \
        insula tenant set shop --domain shop.example")]
    Set(Set),
    /// Write a tenant to a folder that its owner may carry away: tables, users, rules and files, without secrets
    #[command(after_help = "Example:\n  insula tenant export shop --to shop-2031-05-06")]
    Export(Export),
    /// Remove a tenant with all its data, for ever
    #[command(after_help = "Example:\n  insula tenant delete shop --yes")]
    Delete(Delete),
}

#[derive(Args)]
pub(super) struct Named {
    /// The tenant
    name: String,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("adopted").args(["database", "database_file"]))]
pub(super) struct Create {
    /// The name: lower-case letters, digits and single hyphens
    name: String,
    /// The domain below which its hosts are
    #[arg(long)]
    domain: Option<String>,
    /// An existing database to adopt [default: one of its own]
    #[arg(long, value_name = "URL", conflicts_with = "database_file")]
    database: Option<String>,
    /// The same, from a file, so that no list of processes shows its password
    #[arg(long, value_name = "FILE")]
    database_file: Option<PathBuf>,
    /// A second database for Insula's own tables, where they may not lie in the adopted one
    #[arg(long, value_name = "URL", requires = "adopted", conflicts_with = "system_database_file")]
    system_database: Option<String>,
    /// The same, from a file
    #[arg(long, value_name = "FILE", requires = "adopted")]
    system_database_file: Option<PathBuf>,
    /// Origin of web pages that may call it; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
}

#[derive(Args)]
pub(super) struct Set {
    /// The tenant
    name: String,
    /// The domain below which its hosts are
    #[arg(long, conflicts_with = "no_domain")]
    domain: Option<String>,
    /// No host is the tenant's
    #[arg(long)]
    no_domain: bool,
    /// Origin of web pages that may call it, in place of those before; may be repeated
    #[arg(long, value_name = "ORIGIN", required_unless_present_any = ["no_cors", "domain", "no_domain"])]
    cors_origin: Vec<String>,
    /// No web page of another origin may call it
    #[arg(long, conflicts_with = "cors_origin")]
    no_cors: bool,
}

#[derive(Args)]
pub(super) struct Export {
    /// The tenant
    name: String,
    /// The folder to write, which is not there yet
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Write the hashes of passwords too, for another installation
    #[arg(long)]
    with_password_hashes: bool,
}

#[derive(Args)]
pub(super) struct Delete {
    /// The tenant
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// A tenant as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    number: i64,
    name: String,
    domain: Option<String>,
    status: &'static str,
    adopted: bool,
    cors_origins: Vec<String>,
    folder: String,
    created_at: String,
}

impl From<&TenantRecord> for Shown {
    fn from(record: &TenantRecord) -> Self {
        let tenant = &record.tenant;
        Self {
            id: tenant.id.to_string(),
            number: record.number,
            name: tenant.name.clone(),
            domain: tenant.domain.clone(),
            status: word(tenant.status),
            adopted: record.adopted,
            cors_origins: tenant.cors_origins.clone(),
            folder: tenant.folder.display().to_string(),
            created_at: time::rfc3339(record.created_at),
        }
    }
}

const fn word(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Active => "active",
        TenantStatus::Suspended => "suspended",
    }
}

impl Tenant {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let name = match self {
            Self::List => return list(installation, output).await,
            Self::Delete(delete) => return delete.run(installation, output).await,
            Self::Show(Named { name }) => name,
            Self::Create(create) => create.run(installation).await?,
            Self::Suspend(Named { name }) => set_status(installation, name, TenantStatus::Suspended).await?,
            Self::Resume(Named { name }) => set_status(installation, name, TenantStatus::Active).await?,
            Self::Set(set) => set.run(installation).await?,
            Self::Export(export) => return export.run(installation, output).await,
        };
        let shown = Shown::from(&*installation.tenants.by_name(&name).await?);
        output.print(&shown, || shown.describe());
        Ok(())
    }
}

impl Shown {
    fn describe(&self) -> String {
        let lines = [
            ("name", self.name.clone()),
            ("domain", or_dash(self.domain.as_deref())),
            ("status", self.status.to_owned()),
            ("web origins", or_dash(Some(&self.cors_origins.join(", ")))),
            ("database", if self.adopted { "adopted" } else { "its own" }.to_owned()),
            ("folder", self.folder.clone()),
            ("id", self.id.clone()),
            ("created", self.created_at.clone()),
        ];
        lines.map(|(name, value)| format!("{name:<12} {value}")).join("\n")
    }
}

async fn list(installation: &Installation, output: Output) -> Result<()> {
    let records = installation.tenants.list().await?;
    let shown: Vec<_> = records.iter().map(|record| Shown::from(&**record)).collect();
    output.list(&shown, &["NAME", "DOMAIN", "STATUS", "DATABASE", "CREATED"], |tenant| {
        vec![
            tenant.name.clone(),
            or_dash(tenant.domain.as_deref()),
            tenant.status.to_owned(),
            if tenant.adopted { "adopted" } else { "own" }.to_owned(),
            tenant.created_at.clone(),
        ]
    });
    Ok(())
}

/// Writes down what became of a tenant, as it is when administrators of the first tenant do the same.
fn audited<T>(action: &'static str, name: &str, outcome: kernel::Result<T>) -> Result<T> {
    let outcome = outcome.map_err(Failure::from);
    Done { action, of: Some(name), ..Done::default() }.audit(&outcome);
    outcome
}

async fn set_status(installation: &Installation, name: String, status: TenantStatus) -> Result<String> {
    let record = installation.tenants.by_name(&name).await?;
    let set = installation.tenants.set_status(&record.tenant, status).await;
    audited("tenant-change", &name, set).map(|()| name)
}

impl Create {
    async fn run(self, installation: &Installation) -> Result<String> {
        let new = NewTenant {
            name: self.name,
            domain: self.domain,
            cors_origins: self.cors_origin,
            database: given_url(self.database, self.database_file)?,
            system_database: given_url(self.system_database, self.system_database_file)?,
            first: false,
        };
        let named = if kernel::identifier::is_tenant_name(&new.name) { new.name.clone() } else { String::new() };
        let created = installation.tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await;
        let tenant = audited("tenant-create", &named, created)?;
        crate::setup_token::remove(&installation.config);
        Ok(tenant.name.clone())
    }
}

impl Set {
    async fn run(self, installation: &Installation) -> Result<String> {
        let record = installation.tenants.by_name(&self.name).await?;
        if self.no_domain || self.domain.is_some() {
            let set = installation.tenants.set_domain(&record.tenant, self.domain.as_deref()).await;
            audited("tenant-change", &self.name, set)?;
        }
        if self.no_cors || !self.cors_origin.is_empty() {
            let set = installation.tenants.set_cors_origins(&record.tenant, &self.cors_origin).await;
            audited("tenant-change", &self.name, set)?;
        }
        Ok(self.name)
    }
}

impl Export {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (record, open) = installation.open_tenant(Some(&self.name)).await?;
        let progress = Progress::new("export", None);
        let exported = export_to_folder(record, open, self.to, self.with_password_hashes, progress).await;
        Done { action: "tenant-export", of: Some(&self.name), ..Done::default() }.audit(&exported);
        let to = exported?;
        output.print(&to, || {
            let Exported { rows, tables, users } = &to.exported;
            let folder = to.folder.display();
            format!(
                "{rows} rows of {tables} tables and {users} users are in {folder}. \
                 Settings, sessions, keys and other secrets are not."
            )
        });
        Ok(())
    }
}

impl Delete {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let record = installation.tenants.by_name(&self.name).await?;
        refuse_first(installation, &record).await?;
        if !self.yes {
            confirm(&self.name)?;
        }
        let deleted = installation.tenants.delete(&record, &WriteContext::system()).await;
        audited("tenant-delete", &self.name, deleted)?;
        output.print(&serde_json::json!({ "deleted": self.name }), || format!("Tenant {} is gone.", self.name));
        Ok(())
    }
}

/// The first tenant goes last: whoever is first then would rule the others.
async fn refuse_first(installation: &Installation, record: &TenantRecord) -> Result<()> {
    let tenants = installation.tenants.list().await?;
    let first = tenants.iter().all(|other| other.number >= record.number);
    if !first || tenants.len() == 1 {
        return Ok(());
    }
    let message = "The first tenant's administrators rule the others; delete the others first";
    Err(kernel::Error::new(kernel::Reason::Conflict, message).into())
}

fn confirm(name: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("nobody can be asked here; add --yes to delete the tenant for ever".to_owned()));
    }
    eprint!("This deletes the tenant {name} with all its data, for ever. Type its name to go on: ");
    std::io::stderr().flush().map_err(io("standard error"))?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(io("standard input"))?;
    if typed.trim() == name { Ok(()) } else { Err(Failure::Usage("nothing was deleted".to_owned())) }
}
