//! The control database: the list of tenants.

use std::{path::Path, sync::Arc};

use kernel::{Reason, Tenant, TenantId, TenantStatus, WriteContext};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use uuid::Uuid;

use super::{
    FeatureTables, Location, Lookup, MasterKeys, NewTenant, Servers, StoreConfig, TenantRecord, master_key,
    sealed::{Tables, refuse_unsealed},
    tables::{self, COLUMNS, DELETED, TENANTS, WRAPPED_KEY},
};
use crate::{Database, Ddl, Error, Result, Value};

/// The control database.
pub(super) struct Control(Database);

impl Control {
    /// Where it is.
    pub(super) fn location(data: &Path, config: &StoreConfig) -> Result<Location> {
        match config.control.expose() {
            "sqlite" => Ok(Location::Sqlite { file: data.join("control.db"), create: true }),
            url => Location::own(url, "insula_control"),
        }
    }

    pub(super) async fn open(
        location: &Location,
        config: &StoreConfig,
        servers: &Servers,
        features: FeatureTables,
    ) -> Result<Self> {
        let database = location.open(servers, config.sqlite).await?;
        database.erase_what_is_deleted().await?;
        Tables::from(tables::with(features)).prepare(&database).await?;
        Ok(Self(database))
    }

    /// Whether [`Self::open`] and [`Self::claim`] would succeed, found out without making or changing anything.
    pub(super) async fn check(
        data: &Path,
        config: &StoreConfig,
        features: FeatureTables,
        keys: &MasterKeys,
    ) -> Result<()> {
        let location = Self::location(data, config)?.without_making();
        let control = Self(location.open(&Servers::new(1), config.sqlite).await?);
        let tables = Tables::from(tables::with(features));
        if tables.steps.check(&control.0).await? {
            refuse_unsealed(&control.0, &tables.sealed).await?;
        }
        Ok(control.check_key(keys).await?)
    }

    /// Leaves nothing of what was deleted or replaced in the files of the database, where it has files here.
    pub(super) async fn flush(&self) -> Result<()> {
        self.0.checkpoint().await
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

    /// The tenant other than `id` that a schema or database of this name on a server belongs to.
    pub(super) async fn owner_of(&self, place: &str, id: TenantId) -> Result<Option<String>> {
        let Some(name) = place.strip_prefix("insula_").map(|rest| rest.replace('_', "-")) else { return Ok(None) };
        let column = |name: &'static str| Expr::col(Alias::new(name));
        let mut owner = column("name").eq(&name);
        if let Some(stem) = name.strip_suffix("-system") {
            owner = owner.or(column("name").eq(stem).and(column("system_url").is_not_null()));
        }
        let mut select = Query::select();
        select.column(Alias::new("name")).from(self.0.ddl().table(TENANTS));
        select.and_where(owner).and_where(column("id").ne(id.to_string())).limit(1);
        self.0.read(&select).await?.first().map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    /// Makes a tenant known: the moment from which it exists. Its number is the next free one; the first must be 1.
    /// Tells that it did not, where the key under which the tenant's is wrapped is not the installation's any more.
    pub(super) async fn insert(&self, record: &TenantRecord, first: bool, key_id: &str) -> kernel::Result<bool> {
        let ddl = self.0.ddl();
        let (record, key_id) = (record.clone(), key_id.to_owned());
        let context = WriteContext::system();
        let insert = self.0.transaction(&context, move |transaction| {
            let (ddl, record, key_id) = (ddl.clone(), record.clone(), key_id.clone());
            Box::pin(async move {
                if master_key::locked(transaction, &ddl).await? != key_id {
                    return Ok(false);
                }
                let mut highest = Query::select();
                highest.expr(Expr::col(Alias::new("number")).max()).from(ddl.table(TENANTS));
                let rows = transaction.rows(&highest).await?;
                let number = rows.first().map_or(Ok(None), |row| row.maybe_int(0))?.unwrap_or(0) + 1;
                if first && number > 1 {
                    return Err(kernel::Error::plain(Reason::AlreadyInitialised).into());
                }
                transaction.execute(&insert(&ddl, &record, number)?).await.map(|_| true)
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

    /// Errors: [`Error::Unique`] where another tenant has the domain.
    pub(super) async fn set_domain(&self, id: TenantId, domain: Option<String>) -> Result<()> {
        self.set(id, vec![("domain", Value::from(domain))]).await
    }

    pub(super) async fn set_cors_origins(&self, id: TenantId, origins: &[String]) -> Result<()> {
        self.set(id, vec![("cors_origins", Value::Text(serde_json::json!(origins).to_string()))]).await
    }

    /// Destroys a tenant's key, marks it, so that an interrupted deletion is finished later, and notes who did it.
    pub(super) async fn begin_deletion(&self, record: &TenantRecord, context: &WriteContext) -> Result<()> {
        let ddl = self.0.ddl();
        let tenant = Arc::clone(&record.tenant);
        self.0
            .transaction(context, move |transaction| {
                let mut update = Query::update();
                update.table(ddl.table(TENANTS)).and_where(Expr::col(Alias::new("id")).eq(tenant.id.to_string()));
                update.and_where(Expr::col(Alias::new("status")).ne("deleting"));
                update.value(Alias::new("status"), "deleting").value(Alias::new(WRAPPED_KEY), Expr::from(Value::Null));
                let note = note(&ddl, &tenant, transaction.context());
                Box::pin(async move {
                    if transaction.execute(&update).await? == 0 {
                        return Err(kernel::Error::plain(Reason::NotFound).into());
                    }
                    transaction.execute(&note?).await.map(drop)
                })
            })
            .await
    }

    /// Tenants whose deletion was interrupted.
    pub(super) async fn deletions(&self, data: &Path) -> Result<Vec<TenantRecord>> {
        let mut select = self.select();
        select.and_where(Expr::col(Alias::new("status")).eq("deleting"));
        self.0.read(&select).await?.iter().map(|row| TenantRecord::from_row(row, data)).collect()
    }

    /// Forgets a tenant whose data are gone.
    pub(super) async fn end_deletion(&self, record: &TenantRecord) -> Result<()> {
        let ddl = self.0.ddl();
        let tenant = Arc::clone(&record.tenant);
        self.0
            .transaction(&WriteContext::system(), move |transaction| {
                let ddl = ddl.clone();
                let tenant = Arc::clone(&tenant);
                Box::pin(async move {
                    let mut noted = Query::select();
                    noted.column(Alias::new("id")).from(ddl.table(DELETED));
                    noted.and_where(Expr::col(Alias::new("id")).eq(tenant.id.to_string()));
                    if transaction.rows(&noted).await?.is_empty() {
                        // A deletion that an older version began.
                        let note = note(&ddl, &tenant, transaction.context())?;
                        transaction.execute(&note).await?;
                    }
                    let mut delete = Query::delete();
                    delete.from_table(ddl.table(TENANTS));
                    delete.and_where(Expr::col(Alias::new("id")).eq(tenant.id.to_string()));
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

/// That a tenant was there, and who ended it.
fn note(ddl: &Ddl, tenant: &Tenant, context: &WriteContext) -> Result<sea_query::InsertStatement> {
    let by = context.user.map_or_else(|| "command line".to_owned(), |user| format!("user {user}"));
    let mut note = Query::insert();
    note.into_table(ddl.table(DELETED));
    note.columns(["id", "name", "deleted_at", "deleted_by", "request_id"].map(Alias::new));
    let values = [
        Value::from(tenant.id),
        Value::from(&*tenant.name),
        Value::from(kernel::time::now()),
        Value::from(by),
        Value::from(context.request.map(|request| request.to_string())),
    ];
    note.values(values.map(Expr::from)).map_err(|error| Error::Driver(error.to_string().into()))?;
    Ok(note)
}
