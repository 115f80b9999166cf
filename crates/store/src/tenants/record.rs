//! A tenant as the control database has it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{
    Reason, Tenant, TenantId, TenantStatus,
    seal::{Place, SealingKey},
    time::Timestamp,
};

use super::{
    MasterKeys, NewTenant,
    tables::{TENANTS, WRAPPED_KEY},
};
use crate::{Result, Row};

/// A tenant as the control database has it.
#[derive(Debug, Clone)]
pub struct TenantRecord {
    /// What all rooms may know.
    pub tenant: Arc<Tenant>,
    /// 1 for the first tenant, 2, 3 …
    pub number: i64,
    /// Whether its database was there before it.
    pub adopted: bool,
    /// Where it lives, unless its database is an adopted one: `sqlite`, or a server and its database.
    pub home: String,
    /// When it was made.
    pub created_at: Timestamp,
    pub(super) wrapped_key: Option<String>,
    pub(super) sealed_database: Option<String>,
    pub(super) sealed_system: Option<String>,
}

impl TenantRecord {
    pub(super) fn new(
        id: TenantId,
        new: &NewTenant,
        domain: Option<String>,
        folder: PathBuf,
        home: String,
        key: &SealingKey,
    ) -> kernel::Result<Self> {
        let row = id.to_string();
        let seal = |column, url: &Option<String>| {
            url.as_ref().map(|url| key.seal(place(id, &row, column), url.as_bytes())).transpose()
        };
        let tenant = Tenant {
            id,
            name: new.name.clone(),
            domain,
            status: TenantStatus::Active,
            cors_origins: new.cors_origins.clone(),
            folder,
        };
        Ok(Self {
            tenant: Arc::new(tenant),
            number: 0,
            adopted: new.database.is_some(),
            home,
            created_at: kernel::time::now(),
            wrapped_key: None,
            sealed_database: seal("database_url", &new.database)?,
            sealed_system: seal("system_url", &new.system_database)?,
        })
    }

    /// A row with the [`super::tables::COLUMNS`].
    pub(super) fn from_row(row: &Row, data: &Path) -> Result<Self> {
        let name = row.text(2)?.to_owned();
        let status = if row.text(4)? == "active" { TenantStatus::Active } else { TenantStatus::Suspended };
        let tenant = Tenant {
            id: row.uuid(0)?,
            folder: data.join("tenants").join(&name),
            name,
            domain: row.maybe_text(3)?.map(str::to_owned),
            status,
            cors_origins: serde_json::from_str(row.text(6)?).unwrap_or_default(),
        };
        let owned = |index| row.maybe_text(index).map(|text| text.map(str::to_owned));
        Ok(Self {
            tenant: Arc::new(tenant),
            number: row.int(1)?,
            adopted: row.flag(9)?,
            created_at: row.timestamp(10)?,
            home: row.text(11)?.to_owned(),
            wrapped_key: owned(5)?,
            sealed_database: owned(7)?,
            sealed_system: owned(8)?,
        })
    }

    /// The key that seals the tenant's secrets.
    pub(super) async fn data_key(&self, keys: &MasterKeys) -> kernel::Result<SealingKey> {
        let wrapped = self.wrapped_key.as_deref().ok_or_else(|| kernel::Error::plain(Reason::NotFound))?;
        let row = self.tenant.id.to_string();
        keys.unwrap_key(place(self.tenant.id, &row, WRAPPED_KEY), wrapped).await.inspect_err(|error| {
            tracing::error!(tenant = self.tenant.name, %error, "the key of a tenant does not open");
        })
    }

    /// Wraps the tenant's key under the installation's.
    pub(super) fn wrap(&mut self, master: &SealingKey, key: &SealingKey) -> kernel::Result<()> {
        let row = self.tenant.id.to_string();
        self.wrapped_key = Some(master.wrap(place(self.tenant.id, &row, WRAPPED_KEY), key)?);
        Ok(())
    }

    /// The URLs of an adopted database and of a second one for Insula's own tables.
    pub(super) fn urls(&self, key: &SealingKey) -> kernel::Result<(Option<String>, Option<String>)> {
        let row = self.tenant.id.to_string();
        let open = |column, sealed: &Option<String>| -> kernel::Result<Option<String>> {
            let Some(sealed) = sealed else { return Ok(None) };
            let bytes = key.open(place(self.tenant.id, &row, column), sealed)?;
            String::from_utf8(bytes).map(Some).map_err(kernel::Error::internal)
        };
        Ok((open("database_url", &self.sealed_database)?, open("system_url", &self.sealed_system)?))
    }
}

/// Where a column of a tenant's row lies.
pub(super) fn place<'a>(tenant: TenantId, row: &'a str, column: &'a str) -> Place<'a> {
    Place { tenant, table: TENANTS, row, column }
}
