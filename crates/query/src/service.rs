//! What a query means: who may, what runs, what came of it.

use std::{sync::Arc, time::Duration};

use kernel::{
    Authenticated, Cause, Error, Group, Reason, RequestId, Result, SettingsTable, WriteContext, ability,
    columns::MissingColumns, identifier::is_identifier, reload::Reload,
};
use sea_query::{Alias, Expr, ExprTrait, Query as Sql, SelectStatement};
use store::{Applied, Change, Database, JsonRows, OpenTenant, Schema, Table, Tenants, Value};

use crate::{
    QueryConfig, batch,
    compile::{
        scope::{Scope, Source},
        select::{self, Limits, Select},
        write,
    },
    explain,
    request::{Action, Item, Query, Work},
    rules::{Environment, Members, Rules, TableAccess, TenantRules, canonical_table},
};

/// Users of one group that row codes can take into a statement where Insula's tables are in another database.
const MOST_MEMBERS: u64 = 10_000;
/// A catalogue younger than this is not read again because of a name that it does not know.
const CATALOGUE_IS_FRESH: Duration = Duration::from_secs(1);

/// The data API of all tenants.
pub struct Service {
    tenants: Arc<Tenants>,
    rules: Rules,
    config: QueryConfig,
    /// What tenants say otherwise.
    settings: Arc<dyn SettingsTable>,
    /// Brings back system columns that somebody has dropped.
    columns: Arc<dyn MissingColumns>,
    /// Other rooms that `POST /reload` makes read their files.
    others: Vec<Arc<dyn Reload>>,
}

/// What came of a query.
#[derive(Debug)]
pub enum Outcome {
    /// Rows of a select.
    Rows(JsonRows, Vec<String>),
    /// The number of a count.
    Count(i64),
    /// What a write did. The key of the new row is there for inserts.
    Written(Option<Vec<(String, Value)>>, u64, Vec<String>),
    /// Every statement of a batch, and whether they were all undone.
    Batch(Vec<Result<Self>>, bool),
    /// What would run, and why.
    Explanation(serde_json::Value),
}

/// A statement with all names known and all values bound.
pub(crate) enum Prepared {
    Select(Select),
    Count(SelectStatement),
    Write(Change, Vec<String>),
}

/// What a query is answered with: the open tenant and its rules, as they are now.
pub(crate) struct Room {
    pub(crate) open: Arc<OpenTenant>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) rules: Arc<TenantRules>,
}

impl Room {
    pub(crate) fn access(&self, group: &Arc<Group>, table: &Arc<Table>) -> Arc<TableAccess> {
        self.rules.access(group, &self.schema, table)
    }
}

impl Service {
    /// The data API over these tenants. `settings` knows what they say otherwise than `config`, `columns` which system
    /// columns they lack; `others` are the rooms that are reloaded together with its rules.
    pub fn new(
        tenants: Arc<Tenants>,
        config: QueryConfig,
        settings: Arc<dyn SettingsTable>,
        columns: Arc<dyn MissingColumns>,
        others: Vec<Arc<dyn Reload>>,
    ) -> Arc<Self> {
        Arc::new(Self { rules: Rules::new(config.max_compiled_tenants), tenants, config, settings, columns, others })
    }

    /// Opens the caller's tenant.
    pub(crate) async fn room(&self, caller: &Authenticated) -> Result<Room> {
        let open = self.tenants.open(&caller.tenant).await?;
        let rules = self.rules.of(&caller.tenant).await?;
        Ok(Room { schema: open.data.schema(), open, rules })
    }

    /// Reads rules and catalogue of a tenant anew. Errors: 403, 500 `reload_failed` (the old ones stay in force).
    pub async fn reload(&self, caller: &Authenticated) -> Result<usize> {
        caller.principal.require(ability::RELOAD)?;
        let open = self.tenants.open(&caller.tenant).await?;
        let mut commits = Vec::new();
        for room in &self.others {
            commits.push(room.prepare(&caller.tenant).await?);
        }
        open.data.refresh_schema().await?;
        let rules = self.rules.reload(&caller.tenant, &open.data.schema()).await?;
        // Whatever could fail is behind us.
        for commit in commits {
            commit();
        }
        Ok(rules)
    }

    /// The limits of the caller's group, its own or the tenant's. Errors: 503.
    pub(crate) async fn limits(&self, caller: &Authenticated) -> Result<Limits> {
        let (group, tenant) = (&caller.principal.group, self.settings.of(&caller.tenant).await?);
        let conditions = tenant.default_max_where_conditions.unwrap_or(self.config.default_max_where_conditions);
        let most = tenant.default_max_limit.unwrap_or(self.config.default_max_limit);
        let most = group.max_limit.unwrap_or(most);
        Ok(Limits {
            default: Ord::min(self.config.default_limit, most),
            most,
            conditions: group.max_where_conditions.unwrap_or(conditions),
        })
    }

    /// Answers a query. Errors: 400 that names the field, 403 with the rule's reason, 503.
    pub async fn query(&self, caller: &Authenticated, request: RequestId, query: Query) -> Result<Outcome> {
        let room = self.room(caller).await?;
        match self.attempt(&room, caller, request, &query).await {
            Err(error) if matches!(error.reason, Reason::UnknownTable | Reason::UnknownColumn) => {
                // The tenant's tables may have been changed by someone else since the catalogue was read.
                if !room.open.data.refresh_schema_older_than(CATALOGUE_IS_FRESH).await? {
                    return Err(error);
                }
                self.columns.restore(&caller.tenant).await;
                let room = Room { schema: room.open.data.schema(), ..room };
                self.attempt(&room, caller, request, &query).await
            }
            other => other,
        }
    }

    async fn attempt(&self, room: &Room, caller: &Authenticated, request: RequestId, query: &Query) -> Result<Outcome> {
        let principal = &caller.principal;
        principal.require(query.action.ability())?;
        let members = members(room, caller).await?;
        let now = kernel::time::now();
        let environment = Environment { principal, request, now, dialect: room.open.data.dialect(), members };
        let context = WriteContext { user: principal.user(), request: Some(request), cause: Cause::Api };
        let limits = self.limits(caller).await?;
        if query.explain {
            principal.require(ability::EXPLAIN)?;
            return Ok(Outcome::Explanation(explain::explain(room, &environment, query, &limits)));
        }
        match &query.work {
            Work::Single(item) => {
                let prepared = prepare(room, &environment, query, item, &limits)?;
                run_single(&room.open.data, &context, prepared).await
            }
            Work::Batch { items, rollback_on_error } => {
                if !principal.group.allow_batch_operations {
                    return Err(Error::plain(Reason::BatchDenied).at("queries"));
                }
                // Whoever may not use the table at all is told so once.
                scope(room, &environment, query, &Item::default())?;
                let prepared = items.iter().map(|item| prepare(room, &environment, query, item, &limits)).collect();
                batch::run(&room.open.data, &context, prepared, *rollback_on_error).await
            }
        }
    }
}

/// The tables of a query with the caller's rights. Errors: 400 `unknown_table`, `join_invalid`; 403 `table_denied`.
pub(crate) fn scope<'e>(
    room: &Room,
    environment: &'e Environment<'e>,
    query: &Query,
    item: &Item,
) -> Result<Scope<'e>> {
    let mut sources: Vec<Source> = Vec::new();
    let joins = item.joins.as_deref().unwrap_or_default();
    let names = std::iter::once((&query.table, "table".to_owned()))
        .chain(joins.iter().enumerate().map(|(index, join)| (&join.table, format!("joins[{index}].table"))));
    for (index, (name, field)) in names.enumerate() {
        let table = find_table(&room.schema, name).map_err(|error| error.at(field.clone()))?;
        if sources.iter().any(|source| source.table().name == table.name) {
            return Err(Error::new(Reason::JoinInvalid, "A table can be joined once").at(field));
        }
        let action = if index == 0 { query.action } else { Action::Select };
        let access = room.access(&environment.principal.group, table);
        let source = Source::open(access, action).map_err(|mut error| {
            error.field = Some(field);
            error
        })?;
        sources.push(source);
    }
    Ok(Scope { sources, environment })
}

fn find_table<'s>(schema: &'s Schema, name: &str) -> Result<&'s Arc<Table>> {
    let known = is_identifier(name).then(|| schema.table(canonical_table(name))).flatten();
    known.ok_or_else(|| Error::plain(Reason::UnknownTable))
}

/// Who belongs to the caller's group: a table to ask, or a list where it lies in another database and is needed.
async fn members(room: &Room, caller: &Authenticated) -> Result<Members> {
    let open = &room.open;
    if open.is_one_database() {
        return Ok(Members::Table(open.system.ddl().table("_users")));
    }
    if !room.rules.ask_for_members(&caller.principal.group, &room.schema) {
        return Ok(Members::Numbers(Vec::new()));
    }
    let mut select = Sql::select();
    select.column(Alias::new("number")).from(open.system.ddl().table("_users")).limit(MOST_MEMBERS);
    select.and_where(Expr::col(Alias::new("group_id")).eq(caller.principal.group.id));
    let rows = open.system.read(&select).await?;
    if rows.len() as u64 == MOST_MEMBERS {
        let message = format!("Group codes reach {MOST_MEMBERS} users where Insula's tables are in another database");
        return Err(Error::new(Reason::TableDenied, message));
    }
    Ok(Members::Numbers(rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?))
}

fn prepare(
    room: &Room,
    environment: &Environment<'_>,
    query: &Query,
    item: &Item,
    limits: &Limits,
) -> Result<Prepared> {
    let scope = scope(room, environment, query, item)?;
    Ok(match query.action {
        Action::Select => Prepared::Select(select::select(&scope, item, limits)?),
        Action::Count => Prepared::Count(select::count(&scope, item, limits)?),
        Action::Insert => {
            let (insert, warnings) = write::insert(&scope, item)?;
            Prepared::Write(Change::Insert(insert), warnings)
        }
        Action::Update => {
            let (update, warnings) = write::update(&scope, item, limits)?;
            Prepared::Write(Change::Update(update), warnings)
        }
        Action::Delete => {
            let (delete, warnings) = write::delete(&scope, item, limits)?;
            Prepared::Write(Change::Delete(delete), warnings)
        }
    })
}

async fn run_single(database: &Database, context: &WriteContext, prepared: Prepared) -> Result<Outcome> {
    Ok(match prepared {
        Prepared::Select(select) => {
            let rows = database.read_json(&select.statement, &select.columns).await?;
            Outcome::Rows(rows, select.warnings)
        }
        Prepared::Count(statement) => Outcome::Count(first_number(&database.read(&statement).await?)?),
        Prepared::Write(change, warnings) => {
            let table = Arc::clone(change.table());
            let applied = database.write(context, change).await?;
            written(&table, &applied, 0, applied.rows, warnings)
        }
    })
}

pub(crate) fn first_number(rows: &[store::Row]) -> Result<i64> {
    let row = rows.first().ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(row.int(0)?)
}

/// The outcome of a write, with the key of its row `index`.
pub(crate) fn written(table: &Table, applied: &Applied, index: usize, rows: u64, warnings: Vec<String>) -> Outcome {
    let key = applied.keys.get(index).map(|key| {
        let names = table.key.iter().map(|position| table.columns[*position].name.to_string());
        names.zip(key.iter().cloned()).collect()
    });
    Outcome::Written(key, rows, warnings)
}
