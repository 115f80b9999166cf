//! A tenant on one of the databases, with tables made from SQL.

use std::sync::Arc;

use kernel::{Secret, Tenant, WriteContext, seal::SealingKey};
use sea_query::{Condition, Query};
use store::{Change, Column, Insert, OpenTenant, OutputColumn, StoreConfig, Table, Tenants, Value, apply_scripts};
use tempfile::TempDir;
use testkit::Backend;

/// A tenant with its databases open; removed at the end.
pub(crate) struct Fixture {
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) open: Arc<OpenTenant>,
    pub(crate) data: TempDir,
    pub(crate) key: SealingKey,
    pub(crate) config: StoreConfig,
}

impl Fixture {
    /// A fresh tenant.
    pub(crate) async fn new(backend: Backend) -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = StoreConfig { database: Secret::new(backend.url()), connections: 8, ..StoreConfig::default() };
        let key = SealingKey::generate();
        let tenants = Tenants::start(data.path(), config.clone(), key.clone(), Vec::new(), Vec::new()).await.unwrap();
        let name = format!("t{}", uuid::Uuid::new_v4().simple()).chars().take(24).collect();
        let new = store::NewTenant { name, ..store::NewTenant::default() };
        let tenant = tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
        let open = tenants.open(&tenant).await.unwrap();
        Self { tenants, tenant, open, data, key, config }
    }

    /// The same with tables: `common` for all databases, where `SERIAL` stands for a key that counts itself up.
    pub(crate) async fn with_tables(backend: Backend, common: &str) -> Self {
        let fixture = Self::new(backend).await;
        fixture.migrate("0001_tables.sql", &backend.spelled(common)).await.unwrap();
        fixture
    }

    /// Applies one more migration file.
    pub(crate) async fn migrate(&self, file: &str, sql: &str) -> store::Result<Vec<store::AppliedScript>> {
        let folder = self.tenant.folder.join("migrations");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), sql).unwrap();
        apply_scripts(&self.open.data, &folder).await
    }

    /// A table of the catalogue.
    pub(crate) fn table(&self, name: &str) -> Arc<Table> {
        Arc::clone(self.open.data.schema().table(name).unwrap_or_else(|| panic!("no table {name}")))
    }

    /// Inserts one row.
    pub(crate) async fn insert(&self, table: &str, row: &[(&str, Value)]) -> store::Result<store::Applied> {
        self.open.data.write(&WriteContext::system(), self.insertion(table, row)).await
    }

    /// The change that inserts one row.
    pub(crate) fn insertion(&self, table: &str, row: &[(&str, Value)]) -> Change {
        let table = self.table(table);
        let columns = row.iter().map(|(name, _)| table.position(name).unwrap()).collect();
        let rows = vec![row.iter().map(|(_, value)| value.clone()).collect()];
        Change::Insert(Insert { table, columns, rows, guard: None })
    }

    /// All rows of a table by key, as the text of the JSON answer.
    pub(crate) async fn json(&self, table: &str) -> String {
        self.json_where(table, Condition::all()).await
    }

    /// The rows of a condition.
    pub(crate) async fn json_where(&self, table: &str, condition: Condition) -> String {
        let table = self.table(table);
        let mut select = Query::select();
        select.from(table.reference()).cond_where(condition);
        for position in 0..table.columns.len() {
            select.expr(readable(&table.columns[position], table.col(None, position)));
        }
        for column in table.key_columns() {
            select.order_by_expr(column, sea_query::Order::Asc);
        }
        let columns: Arc<[OutputColumn]> =
            table.columns.iter().map(|column| OutputColumn::new(&column.name, column.kind.clone())).collect();
        let rows = self.open.data.read_json(&select, &columns).await.unwrap();
        String::from_utf8(rows.bytes.to_vec()).unwrap()
    }

    /// Removes the tenant with its database.
    pub(crate) async fn end(self) {
        let record = self.tenants.by_name(&self.tenant.name).await.unwrap();
        self.tenants.delete(&record, &WriteContext::system()).await.unwrap();
    }
}

fn readable(column: &Column, expr: sea_query::Expr) -> sea_query::Expr {
    use sea_query::ExprTrait;
    if column.read_as_text { expr.cast_as(sea_query::Alias::new("text")) } else { expr }
}
