//! What a query means: who may, what runs, what came of it.

use std::{sync::Arc, time::Duration};

use kernel::{
    Authenticated, Error, Group, Principal, Reason, RequestId, Result, TenantDirectory, TenantId, WriteContext,
    ability,
    identifier::is_identifier,
    restart::{RestartKind, Restarting},
    toolkits::ToolkitTerms,
    turnstile::Turnstile,
};
use sea_query::{Alias, Expr, ExprTrait, Query as Sql, SelectStatement};
use serde_json::Value as Json;
use store::{JsonRows, OpenTenant, Schema, Table, Tenants, Value};

use crate::{
    Doors, QueryConfig, batch,
    compile::{
        scope::{Scope, Source},
        select::{self, Limits, Select},
        write::{self, Write},
    },
    explain, insert, read,
    request::{Action, Item, Query, Work},
    rules::{Environment, Members, Rights, Rules, TenantRules, canonical_table},
    run,
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
    doors: Doors,
    /// Tenants that are being reloaded.
    reloading: Turnstile<TenantId>,
}

/// What a reload did.
#[derive(Debug)]
pub(crate) struct Reloaded {
    /// How many row rules are in force.
    pub(crate) rules: usize,
    /// The restart that will come.
    pub(crate) restarting: Option<Restarting>,
}

/// What came of a query.
#[derive(Debug)]
pub enum Outcome {
    /// Rows of a select.
    Rows(JsonRows, Vec<String>),
    /// The number of a count.
    Count(i64),
    /// What a write did.
    Written {
        /// The key of the new row, for inserts.
        key: Option<Vec<(String, Value)>>,
        /// How many rows were written.
        rows: u64,
        /// Values of an insert that toolkits have filled in, by column.
        generated: Vec<(String, Json)>,
        /// What was left out or cut.
        warnings: Vec<String>,
    },
    /// Every statement of a batch, and whether they were all undone.
    Batch(Vec<Result<Self>>, bool),
    /// What would run, and why.
    Explanation(serde_json::Value),
}

/// A statement with all names known and all values bound.
pub(crate) enum Prepared {
    Select(Select),
    Count(SelectStatement),
    Write(Write),
}

/// What a query is answered with: the open tenant, its rules and toolkits as they are now, and the caller's rights.
pub(crate) struct Room {
    pub(crate) open: Arc<OpenTenant>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) rules: Arc<TenantRules>,
    pub(crate) terms: Arc<dyn ToolkitTerms>,
    /// What the caller's group may do, with what its places in toolkits add.
    pub(crate) rights: Arc<Rights>,
}

impl Room {
    /// What a group may do.
    pub(crate) fn rights_of(&self, group: &Arc<Group>) -> Arc<Rights> {
        self.rules.rights(group, &self.schema, &self.terms)
    }
}

impl Service {
    /// The data API over these tenants.
    pub fn new(tenants: Arc<Tenants>, config: QueryConfig, doors: Doors) -> Arc<Self> {
        Arc::new(Self {
            rules: Rules::new(config.max_compiled_tenants),
            tenants,
            config,
            doors,
            reloading: Turnstile::new(),
        })
    }

    /// Opens the caller's tenant.
    pub(crate) async fn room(&self, caller: &Authenticated) -> Result<Room> {
        let open = self.tenants.open(&caller.tenant).await?;
        let rules = self.rules.of(&caller.tenant).await?;
        let terms = self.doors.toolkits.of(&caller.tenant).await?;
        let own = &caller.principal.group;
        // Who acts with a toolkit's own rights has no place anywhere.
        let group = if own.is_toolkit() { Arc::clone(own) } else { terms.group(&caller.principal) };
        let schema = open.data.schema();
        let rights = rules.rights(&group, &schema, &terms);
        Ok(Room { open, schema, rules, terms, rights })
    }

    /// Refuses with 403 whoever may not reload.
    pub(crate) fn require_reload(&self, caller: &Authenticated) -> Result<()> {
        caller.principal.require(self.config.reload_ability())
    }

    /// Reads rules and catalogue of a tenant anew. Errors: 500 `reload_failed` (the old ones stay in force).
    pub(crate) async fn reload(&self, caller: &Authenticated) -> Result<Reloaded> {
        // One after the other, so that what was read first is not put into force last.
        let _pass = self.reloading.enter(caller.tenant.id).await;
        let open = self.tenants.open(&caller.tenant).await?;
        open.data.refresh_schema().await?;
        let mut commits = Vec::new();
        for room in &self.doors.reloaded {
            commits.push(room.prepare(&caller.tenant).await?);
        }
        let rules = self.rules.reload(&caller.tenant, &open.data.schema()).await?;
        // Whatever could fail is behind us.
        for commit in commits {
            commit();
        }
        Ok(Reloaded { rules, restarting: None })
    }

    /// Reloads and makes the server restart, or neither. Errors: 403; those of [`kernel::restart::Restart::prepare`]; 500.
    pub(crate) async fn restart(&self, caller: &Authenticated, kind: RestartKind) -> Result<Reloaded> {
        if kind == RestartKind::Forced {
            caller.principal.require(self.config.restart_ability())?;
        }
        if self.tenants.first().await?.is_none_or(|first| first.id != caller.tenant.id) {
            let message = "A restart stops the server for all tenants; only the first tenant may ask for it";
            return Err(Error::new(Reason::AbilityMissing, message));
        }
        let schedule = self.doors.restart.prepare(kind).await?;
        let reloaded = self.reload(caller).await?;
        Ok(Reloaded { restarting: Some(schedule()), ..reloaded })
    }

    /// The limits of the caller's group, its own or the tenant's. Errors: 503.
    pub(crate) async fn limits(&self, caller: &Authenticated) -> Result<Limits> {
        let (group, tenant) = (&caller.principal.group, self.doors.settings.of(&caller.tenant).await?);
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
    pub async fn query(&self, caller: &Authenticated, request: RequestId, query: &Query) -> Result<Outcome> {
        let room = self.room(caller).await?;
        match self.attempt(&room, caller, request, query).await {
            Err(error) => {
                let room = Box::pin(self.room_after(&room, caller, error)).await?;
                Box::pin(self.attempt(&room, caller, request, query)).await
            }
            ok => ok,
        }
    }

    /// The room with a newer catalogue, where something failed for a name that the catalogue did not know: the tenant's
    /// tables may have been changed by someone else since it was read. Errors: the one that it is asked about.
    pub(crate) async fn room_after(&self, room: &Room, caller: &Authenticated, error: Error) -> Result<Room> {
        let unknown = matches!(error.reason, Reason::UnknownTable | Reason::UnknownColumn);
        if unknown && room.open.data.refresh_schema_older_than(CATALOGUE_IS_FRESH).await? {
            self.doors.columns.restore(&caller.tenant).await;
            return self.room(caller).await;
        }
        Err(error)
    }

    async fn attempt(&self, room: &Room, caller: &Authenticated, request: RequestId, query: &Query) -> Result<Outcome> {
        let principal = &caller.principal;
        principal.require(query.action.ability())?;
        let members = match at_once(room) {
            Some(members) => members,
            None => Box::pin(members(room)).await?,
        };
        let now = kernel::time::now();
        let dialect = room.open.data.dialect();
        let environment = Environment { principal, request, now, dialect, members, marks: None };
        let context = context(principal, request);
        let limits = self.limits(caller).await?;
        if query.explain {
            principal.require(ability::EXPLAIN)?;
            return Ok(Outcome::Explanation(explain::explain(room, &environment, query, &limits)));
        }
        match &query.work {
            Work::Single(item) if query.action.reads() => read::read(room, environment, query, item, &limits).await,
            Work::Single(item) if query.action == Action::Insert => {
                Box::pin(insert::insert(room, &context, environment, query, item, &limits)).await
            }
            Work::Single(item) => {
                let prepared = prepare(room, &environment, query, item, &limits)?;
                Box::pin(run::single(&room.open, &context, prepared)).await
            }
            Work::Batch { items, rollback_on_error } => {
                if !room.rights.group.allow_batch_operations {
                    return Err(Error::plain(Reason::BatchDenied).at("queries"));
                }
                let prepared = prepare_all(room, &environment, query, items, &limits)?;
                Box::pin(batch::run(&room.open, &context, prepared, *rollback_on_error)).await
            }
        }
    }
}

/// Who writes, for triggers.
pub(crate) fn context(principal: &Principal, request: RequestId) -> WriteContext {
    WriteContext::of_request(principal.user(), request)
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
        let access = room.rights.table(table);
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

/// Who belongs to the caller's group, where that is a table beside the tenant's own.
fn at_once(room: &Room) -> Option<Members> {
    room.open.is_one_database().then(|| Members::Table(room.open.system.ddl().table("_users")))
}

/// Who belongs to the caller's group: a table to ask, or a list where it lies in another database and is needed.
pub(crate) async fn members(room: &Room) -> Result<Members> {
    if let Some(members) = at_once(room) {
        return Ok(members);
    }
    let open = &room.open;
    if !room.rights.codes.ask_for_members() {
        return Ok(Members::Numbers(Vec::new()));
    }
    let mut select = Sql::select();
    select.column(Alias::new("number")).from(open.system.ddl().table("_users")).limit(MOST_MEMBERS);
    select.and_where(Expr::col(Alias::new("group_id")).eq(room.rights.group.id));
    let rows = open.system.read(&select).await?;
    if rows.len() as u64 == MOST_MEMBERS {
        let message = format!("Group codes reach {MOST_MEMBERS} users where Insula's tables are in another database");
        return Err(Error::new(Reason::TableDenied, message));
    }
    Ok(Members::Numbers(rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?))
}

pub(crate) fn prepare(
    room: &Room,
    environment: &Environment<'_>,
    query: &Query,
    item: &Item,
    limits: &Limits,
) -> Result<Prepared> {
    prepare_in(&scope(room, environment, query, item)?, query.action, item, limits)
}

/// Compiles the statements of a batch. Errors: what refuses them all, because of the table.
fn prepare_all(
    room: &Room,
    environment: &Environment<'_>,
    query: &Query,
    items: &[Item],
    limits: &Limits,
) -> Result<Vec<Result<Prepared>>> {
    // Whoever may not use the table at all is told so once.
    let shared = scope(room, environment, query, &Item::default())?;
    let prepare = |item: &Item| match &item.joins {
        None => prepare_in(&shared, query.action, item, limits),
        Some(_) => prepare(room, environment, query, item, limits),
    };
    Ok(items.iter().map(prepare).collect())
}

fn prepare_in(scope: &Scope<'_>, action: Action, item: &Item, limits: &Limits) -> Result<Prepared> {
    Ok(match action {
        Action::Select => Prepared::Select(select::select(scope, item, limits)?),
        Action::Count => Prepared::Count(select::count(scope, item, limits)?),
        Action::Insert => Prepared::Write(write::insert(scope, item)?),
        Action::Update => Prepared::Write(write::update(scope, item, limits)?),
        Action::Delete => Prepared::Write(write::delete(scope, item, limits)?),
    })
}
