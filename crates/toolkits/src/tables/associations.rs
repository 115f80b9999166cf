//! `_associations`: which group of a toolkit the users of a group of the tenant are in.

use kernel::{Error as Refusal, Reason, WriteContext};
use sea_query::{Alias, ExprTrait, ForeignKeyAction, Index, Query};
use store::{Database, Migration, Result, Value};

use super::{column, insert};

const ASSOCIATIONS: &str = "_associations";
/// More are not read; a tenant has groups and toolkits in the hundreds.
const MOST: u64 = 100_000;

pub(super) const MIGRATION: Migration = Migration {
    feature: crate::NAME,
    number: 1,
    name: "associations of groups with toolkits",
    statements: |ddl| {
        let mut table = ddl.create(
            ASSOCIATIONS,
            [
                ddl.serial("id"),
                ddl.bigint("core_group_id").not_null().take(),
                ddl.text("toolkit_name", 64).not_null().take(),
                ddl.text("toolkit_group_name", 64).not_null().take(),
            ],
        );
        let mut key = Index::create();
        key.name("_associations_group").unique().col(Alias::new("core_group_id")).col(Alias::new("toolkit_name"));
        table.index(&mut key);
        table.foreign_key(&mut ddl.reference(ASSOCIATIONS, "core_group_id", "_groups", ForeignKeyAction::Cascade));
        vec![ddl.sql(table.if_not_exists())]
    },
};

/// An association: the toolkit, the number of the tenant's group, and the name of the toolkit's.
pub(crate) type Association = (String, i64, String);

/// All associations.
pub(crate) async fn list(database: &Database) -> Result<Vec<Association>> {
    let mut select = Query::select();
    select.columns(["toolkit_name", "core_group_id", "toolkit_group_name"].map(Alias::new));
    select.from(database.ddl().table(ASSOCIATIONS)).limit(MOST);
    let rows = database.read(&select).await?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?, row.text(2)?.to_owned()))).collect()
}

/// A group of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreGroup {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) power: u8,
}

/// The groups of the tenant, the weakest first.
pub(crate) async fn core_groups(database: &Database) -> Result<Vec<CoreGroup>> {
    let mut select = Query::select();
    select.columns(["id", "name", "power"].map(Alias::new)).from(database.ddl().table("_groups"));
    select.order_by(Alias::new("power"), sea_query::Order::Asc).order_by(Alias::new("name"), sea_query::Order::Asc);
    let rows = database.read(&select).await?;
    let group = |row: &store::Row| {
        let power = u8::try_from(row.int(2)?.clamp(1, 100)).unwrap_or(1);
        Ok(CoreGroup { id: row.int(0)?, name: row.text(1)?.to_owned(), power })
    };
    rows.iter().map(group).collect()
}

/// Sets, or removes, the association of a group of the tenant with a toolkit; tells whether there was one.
///
/// Errors: 404 where the group is gone.
pub(crate) async fn set(
    database: &Database,
    context: &WriteContext,
    core_group: i64,
    toolkit: String,
    group: Option<String>,
) -> Result<bool> {
    let ddl = database.ddl();
    let set = database.transaction(context, move |transaction| {
        let (table, toolkit, group) = (ddl.table(ASSOCIATIONS), toolkit.clone(), group.clone());
        Box::pin(async move {
            let mut delete = Query::delete();
            delete.from_table(table.clone()).and_where(column("core_group_id").eq(core_group));
            delete.and_where(column("toolkit_name").eq(&*toolkit));
            let there = transaction.execute(&delete).await? > 0;
            if let Some(group) = group {
                let row = [
                    ("core_group_id", Value::from(core_group)),
                    ("toolkit_name", Value::from(toolkit)),
                    ("toolkit_group_name", Value::from(group)),
                ];
                transaction.execute(&insert(table, row)?).await?;
            }
            Ok(there)
        })
    });
    set.await.map_err(|error| match error {
        store::Error::ForeignKey => Refusal::new(Reason::NotFound, "There is no such group").into(),
        other => other,
    })
}
