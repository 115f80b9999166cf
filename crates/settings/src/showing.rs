//! What is in force, and where it comes from.

use kernel::{
    Result, SettingsTable, Tenant,
    settings::{self, TenantFile},
};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{Settings, table};

/// A setting as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Shown {
    /// Its name.
    #[schema(example = "session_timeout_minutes")]
    pub setting: &'static str,
    /// The value in force; of a setting that is read at the start alone, that of the next start.
    #[schema(value_type = Object)]
    pub value: Json,
    /// Where the value comes from.
    pub source: Source,
    /// What the table says, in force or not; null where it says nothing.
    #[schema(example = "15")]
    pub table: Option<String>,
    /// What the table says it is for.
    pub description: Option<String>,
    /// What the setting says, and in which unit.
    pub meaning: &'static str,
    /// Whether it is read at the start of the server alone.
    pub at_start: bool,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody has said anything.
    Default,
    /// `insula.toml` or the environment.
    File,
    /// `identity.toml` in the tenant's folder.
    TenantFile,
    /// The tenant's table.
    Table,
}

impl Source {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::TenantFile => "tenant_file",
            Self::Table => "table",
        }
    }
}

impl Settings {
    /// All settings of a tenant; those of the server in the first tenant alone. Errors: 500 where the tenant's file is
    /// broken; 503.
    pub async fn shown(&self, tenant: &Tenant, file: &dyn TenantFile) -> Result<Vec<Shown>> {
        let first = self.is_first(tenant).await?;
        let open = self.tenants.open(tenant).await?;
        let mut rows = table::read(&open.system).await?;
        let (file, said) = (file.written(tenant).await?, self.of(tenant).await?);
        let said = self.files.preference.beside(&said, |setting| file.get(setting.name).is_some());
        let shown = |setting: &settings::Setting| {
            let row = rows.remove(setting.name);
            let (description, table) = row.map_or((None, None), |row| (row.description, Some(row.value)));
            let written = self.files.written.contains(setting.name);
            let (source, value) = match (said.get(setting.name), file.get(setting.name)) {
                (Some(value), _) => (Source::Table, Some(value)),
                (None, Some(value)) => (Source::TenantFile, Some(value)),
                (None, None) => {
                    (if written { Source::File } else { Source::Default }, self.files.values.get(setting.name))
                }
            };
            Shown {
                setting: setting.name,
                value: value.unwrap_or_default(),
                source,
                table,
                description,
                meaning: setting.meaning,
                at_start: setting.is_of_the_server(),
            }
        };
        Ok(settings::ALL.iter().filter(|setting| first || !setting.is_of_the_server()).map(shown).collect())
    }
}
