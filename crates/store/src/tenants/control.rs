//! The control database: the list of tenants.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{
    Reason, Tenant, TenantId, TenantStatus, WriteContext,
    seal::{Place, SealingKey},
    time::Timestamp,
};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use uuid::Uuid;

use super::{Location, Lookup, NewTenant, Servers, StoreConfig};
use crate::{Database, Ddl, Error, Migration, Result, Row, Value};

const TENANTS: &str = "_tenants";
const DELETED: &str = "_deleted_tenants";
const COLUMNS: [&str; 12] = [
    "id",
    "number",
    "name",
    "domain",
    "status",
    "wrapped_key",
    "cors_origins",
    "database_url",
    "system_url",
    "adopted",
    "created_at",
    "home",
];

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
    wrapped_key: Option<String>,
    sealed_database: Option<String>,
    sealed_system: Option<String>,
}

impl TenantRecord {
    pub(super) fn new(
        id: TenantId,
        new: &NewTenant,
        domain: Option<String>,
        folder: PathBuf,
        home: String,
        master: &SealingKey,
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
            wrapped_key: Some(master.wrap(place(id, &row, "wrapped_key"), key)?),
            sealed_database: seal("database_url", &new.database)?,
            sealed_system: seal("system_url", &new.system_database)?,
        })
    }

    fn from_row(row: &Row, data: &Path) -> Result<Self> {
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
    pub(super) fn data_key(&self, master: &SealingKey) -> kernel::Result<SealingKey> {
        let wrapped = self.wrapped_key.as_deref().ok_or_else(|| kernel::Error::plain(Reason::NotFound))?;
        master.unwrap_key(place(self.tenant.id, &self.tenant.id.to_string(), "wrapped_key"), wrapped)
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

fn place<'a>(tenant: TenantId, row: &'a str, column: &'a str) -> Place<'a> {
    Place { tenant, table: TENANTS, row, column }
}

/// The control database.
pub(super) struct Control(Database);

impl Control {
    pub(super) async fn open(
        data: &Path,
        config: &StoreConfig,
        servers: &Servers,
        further: Vec<Migration>,
    ) -> Result<Self> {
        let location = match config.control.expose() {
            "sqlite" => Location::Sqlite { file: data.join("control.db"), create: true },
            url => Location::own(url, "insula_control")?,
        };
        let database = location.open(servers, config.sqlite).await?;
        crate::migrate(&database, &[MIGRATIONS, &further].concat()).await?;
        Ok(Self(database))
    }

    pub(super) fn database(&self) -> &Database {
        &self.0
    }

    fn select(&self) -> SelectStatement {
        let mut select = Query::select();
        select.columns(COLUMNS.map(Alias::new)).from(self.0.ddl().table(TENANTS));
        select
    }

    /// Tenants by name, those excepted that are being deleted.
    pub(super) async fn list(&self, data: &Path) -> Result<Vec<Arc<TenantRecord>>> {
        let mut select = self.select();
        select.and_where(Expr::col(Alias::new("status")).ne("deleting")).order_by(Alias::new("name"), Order::Asc);
        let rows = self.0.read(&select).await?;
        rows.iter().map(|row| TenantRecord::from_row(row, data).map(Arc::new)).collect()
    }

    pub(super) async fn find(&self, lookup: &Lookup, data: &Path) -> Result<Option<Arc<TenantRecord>>> {
        let mut select = self.select();
        select.and_where(Expr::col(Alias::new("status")).ne("deleting"));
        match lookup {
            Lookup::Id(id) => select.and_where(Expr::col(Alias::new("id")).eq(id.to_string())),
            Lookup::Name(name) => select.and_where(Expr::col(Alias::new("name")).eq(name)),
            Lookup::Domain(domain) => select.and_where(Expr::col(Alias::new("domain")).eq(domain)),
            Lookup::First => select.order_by(Alias::new("number"), Order::Asc).limit(1),
        };
        let rows = self.0.read(&select).await?;
        rows.first().map(|row| TenantRecord::from_row(row, data).map(Arc::new)).transpose()
    }

    /// Refuses a name or domain that is in use, and a second first tenant.
    pub(super) async fn refuse_taken(&self, new: &NewTenant, domain: Option<&str>) -> kernel::Result<()> {
        let mut select = Query::select();
        select.columns(["name", "domain"].map(Alias::new)).from(self.0.ddl().table(TENANTS));
        if !new.first {
            let mut taken = Expr::col(Alias::new("name")).eq(&new.name);
            if let Some(domain) = domain {
                taken = taken.or(Expr::col(Alias::new("domain")).eq(domain));
            }
            select.and_where(taken);
        }
        select.limit(1);
        let rows = self.0.read(&select).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        Err(if new.first {
            kernel::Error::plain(Reason::AlreadyInitialised)
        } else if row.text(0)? == new.name {
            kernel::Error::new(Reason::NameTaken, format!("There is a tenant {:?} already", new.name)).at("name")
        } else {
            kernel::Error::new(Reason::NameTaken, "Another tenant has this domain").at("domain")
        })
    }

    /// Makes a tenant known: the moment from which it exists. Its number is the next free one; the first must be 1.
    pub(super) async fn insert(&self, record: &TenantRecord, first: bool) -> kernel::Result<()> {
        let ddl = self.0.ddl();
        let record = record.clone();
        let context = WriteContext::system();
        let insert = self.0.transaction(&context, move |transaction| {
            let (ddl, record) = (ddl.clone(), record.clone());
            Box::pin(async move {
                let mut highest = Query::select();
                highest.expr(Expr::col(Alias::new("number")).max()).from(ddl.table(TENANTS));
                let rows = transaction.rows(&highest).await?;
                let number = rows.first().map_or(Ok(None), |row| row.maybe_int(0))?.unwrap_or(0) + 1;
                if first && number > 1 {
                    return Err(kernel::Error::plain(Reason::AlreadyInitialised).into());
                }
                transaction.execute(&insert(&ddl, &record, number)?).await.map(drop)
            })
        });
        match insert.await {
            Err(Error::Unique(_)) if first => Err(kernel::Error::plain(Reason::AlreadyInitialised)),
            Err(Error::Unique(_)) => Err(kernel::Error::plain(Reason::NameTaken)),
            other => Ok(other?),
        }
    }

    pub(super) async fn set_status(&self, id: TenantId, status: TenantStatus) -> Result<()> {
        let word = match status {
            TenantStatus::Active => "active",
            TenantStatus::Suspended => "suspended",
        };
        self.set(id, vec![("status", Value::from(word))]).await
    }

    pub(super) async fn set_cors_origins(&self, id: TenantId, origins: &[String]) -> Result<()> {
        self.set(id, vec![("cors_origins", Value::Text(serde_json::json!(origins).to_string()))]).await
    }

    /// Destroys a tenant's key and marks it, so that an interrupted deletion is finished later.
    pub(super) async fn begin_deletion(&self, record: &TenantRecord) -> Result<()> {
        self.set(record.tenant.id, vec![("status", Value::from("deleting")), ("wrapped_key", Value::Null)]).await
    }

    /// Tenants whose deletion was interrupted.
    pub(super) async fn deletions(&self, data: &Path) -> Result<Vec<TenantRecord>> {
        let mut select = self.select();
        select.and_where(Expr::col(Alias::new("status")).eq("deleting"));
        self.0.read(&select).await?.iter().map(|row| TenantRecord::from_row(row, data)).collect()
    }

    /// Forgets a tenant and notes that it was there.
    pub(super) async fn end_deletion(&self, record: &TenantRecord, context: &WriteContext) -> Result<()> {
        let ddl = self.0.ddl();
        let tenant = Arc::clone(&record.tenant);
        self.0
            .transaction(context, move |transaction| {
                let mut delete = Query::delete();
                delete.from_table(ddl.table(TENANTS)).and_where(Expr::col(Alias::new("id")).eq(tenant.id.to_string()));
                let mut note = Query::insert();
                note.into_table(ddl.table(DELETED)).columns(["id", "name", "deleted_at"].map(Alias::new));
                let values = [Value::from(tenant.id), Value::from(&*tenant.name), Value::from(kernel::time::now())];
                let filled = note.values(values.map(Expr::from)).map(drop);
                Box::pin(async move {
                    filled.map_err(|error| Error::Driver(error.to_string().into()))?;
                    transaction.execute(&note).await?;
                    transaction.execute(&delete).await.map(drop)
                })
            })
            .await
    }

    async fn set(&self, id: Uuid, values: Vec<(&'static str, Value)>) -> Result<()> {
        let mut update = Query::update();
        update.table(self.0.ddl().table(TENANTS)).and_where(Expr::col(Alias::new("id")).eq(id.to_string()));
        for (column, value) in values {
            update.value(Alias::new(column), Expr::from(value));
        }
        let update = Arc::new(update);
        self.0
            .transaction(&WriteContext::system(), move |transaction| {
                let update = Arc::clone(&update);
                Box::pin(async move { transaction.execute(&*update).await.map(drop) })
            })
            .await
    }
}

fn insert(ddl: &Ddl, record: &TenantRecord, number: i64) -> Result<sea_query::InsertStatement> {
    let tenant = &record.tenant;
    let mut insert = Query::insert();
    insert.into_table(ddl.table(TENANTS)).columns(COLUMNS.map(Alias::new));
    let values = [
        Value::from(tenant.id),
        Value::from(number),
        Value::from(&*tenant.name),
        Value::from(tenant.domain.clone()),
        Value::from("active"),
        Value::from(record.wrapped_key.clone()),
        Value::Text(serde_json::json!(tenant.cors_origins).to_string()),
        Value::from(record.sealed_database.clone()),
        Value::from(record.sealed_system.clone()),
        Value::from(record.adopted),
        Value::from(record.created_at),
        Value::from(&*record.home),
    ];
    insert.values(values.map(Expr::from)).map_err(|error| Error::Driver(error.to_string().into()))?;
    Ok(insert)
}

const MIGRATIONS: &[Migration] = &[Migration {
    feature: "control",
    number: 1,
    name: "tenants",
    statements: |ddl| {
        let mut tenants = ddl.create(
            TENANTS,
            [
                ddl.uuid("id").not_null().primary_key().take(),
                ddl.bigint("number").not_null().unique_key().take(),
                ddl.text("name", 40).not_null().unique_key().take(),
                ddl.text("domain", 200).unique_key().take(),
                ddl.text("status", 16).not_null().take(),
                ddl.long_text("wrapped_key"),
                ddl.long_text("cors_origins").not_null().take(),
                ddl.long_text("database_url"),
                ddl.long_text("system_url"),
                ddl.boolean("adopted").not_null().take(),
                ddl.timestamp("created_at"),
                ddl.text("home", 500).not_null().take(),
            ],
        );
        let mut deleted = ddl.create(
            DELETED,
            [ddl.uuid("id").not_null().primary_key().take(), ddl.text("name", 40), ddl.timestamp("deleted_at")],
        );
        vec![ddl.sql(tenants.if_not_exists()), ddl.sql(deleted.if_not_exists())]
    },
}];
