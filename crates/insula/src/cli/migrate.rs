//! `insula migrate`.

use std::{collections::BTreeMap, fmt::Write as _};

use clap::Args;
use serde::Serialize;
use store::{AppliedScript, Lacking, TenantRecord};

use super::{Done, Output, Which};
use crate::{
    Installation,
    failure::{Failure, Result},
};

/// Apply the SQL files of a tenant's `migrations` folder, in order, each once, and add the system columns that its tables
/// lack.
///
/// Files are called `0001_name.sql`, or `0001_name.postgres.sql` where databases differ. System columns are added where
/// the settings ask for them.
#[derive(Args)]
#[command(after_help = "Example:\n  insula migrate --tenant shop")]
pub(super) struct Migrate {
    #[command(flatten)]
    which: Which,
    /// All tenants, one after another
    #[arg(long, conflicts_with = "tenant")]
    all: bool,
}

#[derive(Serialize)]
struct Migrated {
    tenant: String,
    scripts: Vec<AppliedScript>,
    /// Tables with the system columns that they were given.
    system_columns: BTreeMap<String, Vec<&'static str>>,
}

impl Migrate {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let records = if self.all {
            installation.tenants.list().await?
        } else {
            vec![installation.record(self.which.tenant.as_deref()).await?]
        };
        let mut migrated = Vec::new();
        for record in &records {
            migrated.push(migrate(installation, record).await?);
        }
        output.print(&migrated, || migrated.iter().map(tell).collect::<Vec<_>>().join("\n"));
        Ok(())
    }
}

async fn migrate(installation: &Installation, record: &TenantRecord) -> Result<Migrated> {
    let open = installation.tenants.open(&record.tenant).await?;
    let applied = store::apply_scripts(&open.data, &record.tenant.folder.join("migrations")).await;
    let applied = applied.map_err(Failure::from);
    let news = applied.as_ref().map_or(1, |scripts| scripts.iter().filter(|script| script.new).count());
    if news > 0 {
        Done { action: "migrate", tenant: Some(&record.tenant.name), ..Done::default() }.audit(&applied);
    }
    let scripts = applied?;
    let completed = installation.features.columns.complete(&open).await?;
    let names = |lacking: &Lacking| lacking.columns.iter().map(|column| column.name()).collect::<Vec<_>>();
    if let Some(failed) = completed.failed.first() {
        let (table, columns) = (&failed.table, names(failed).join(", "));
        return Err(Failure::Other(format!("the table {table} could not be given {columns}; the log tells why")));
    }
    let system_columns = completed.added.iter().map(|lacking| (lacking.table.clone(), names(lacking))).collect();
    Ok(Migrated { tenant: record.tenant.name.clone(), scripts, system_columns })
}

fn tell(migrated: &Migrated) -> String {
    let new: Vec<_> = migrated.scripts.iter().filter(|script| script.new).collect();
    let mut text = format!("{}: {} applied, {} before", migrated.tenant, new.len(), migrated.scripts.len() - new.len());
    for script in new {
        let _ = write!(text, "\n  {:04}_{}", script.number, script.name);
    }
    for (table, columns) in &migrated.system_columns {
        let _ = write!(text, "\n  {table}: {}", columns.join(", "));
    }
    text
}
