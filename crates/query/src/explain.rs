//! Why: what a query would run, and which rule allowed, stripped or refused what.

use kernel::{Error, Result};
use serde_json::{Value as Json, json};

use crate::{
    compile::{
        scope::{Scope, Seen, read_only},
        select::{self, Limits},
        write,
    },
    generate::Generator,
    request::{Action, Item, Query, Work},
    rules::{Environment, GroupRules, Reach, SYSTEM_COLUMNS, TableAccess, Visibility},
    service::{Room, scope},
};

/// Explains a query without running it. What would be refused is part of the answer, not an error.
pub(crate) fn explain(room: &Room, environment: &Environment<'_>, query: &Query, limits: &Limits) -> Json {
    let principal = environment.principal;
    let queries: Vec<Json> = match &query.work {
        Work::Single(item) => vec![explain_item(room, environment, query, item, limits)],
        Work::Batch { items, .. } => {
            items.iter().map(|item| explain_item(room, environment, query, item, limits)).collect()
        }
    };
    json!({
        "action": query.action.word(),
        "database": room.open.data.dialect().word(),
        "principal": { "id": principal.number, "group": principal.group.name, "power": principal.group.power },
        "limits": { "default_limit": limits.default, "max_limit": limits.most, "max_where": limits.conditions },
        "queries": queries,
    })
}

fn explain_item(room: &Room, environment: &Environment<'_>, query: &Query, item: &Item, limits: &Limits) -> Json {
    let scope = match scope(room, environment, query, item) {
        Ok(scope) => scope,
        Err(error) => return json!({ "tables": tables_of(room, query, item), "refused": refusal(&error) }),
    };
    let explain = |index| explain_source(&scope, &room.rights.codes, index, query.action);
    let tables: Vec<Json> = (0..scope.sources.len()).map(explain).collect();
    match statement(&scope, query.action, item, limits) {
        Ok((statement, warnings)) => json!({ "statement": statement, "tables": tables, "warnings": warnings }),
        Err(error) => json!({ "tables": tables, "refused": refusal(&error) }),
    }
}

fn refusal(error: &Error) -> Json {
    let why = error.source.as_ref().map(ToString::to_string);
    json!({ "reason": error.reason.word(), "code": error.reason.status(), "error": error.message, "field": error.field, "why": why })
}

/// The statement's text with a place for each value, and the warnings that it would come with.
fn statement(scope: &Scope<'_>, action: Action, item: &Item, limits: &Limits) -> Result<(String, Vec<String>)> {
    let dialect = scope.dialect();
    Ok(match action {
        Action::Select => {
            let select = select::select(scope, item, limits)?;
            (dialect.select(&select.statement).sql.to_string(), select.warnings)
        }
        Action::Count => (dialect.select(&select::count(scope, item, limits)?).sql.to_string(), Vec::new()),
        Action::Insert => shape(write::insert(scope, item)?)?,
        Action::Update => shape(write::update(scope, item, limits)?)?,
        Action::Delete => shape(write::delete(scope, item, limits)?)?,
    })
}

fn shape(write: write::Write) -> Result<(String, Vec<String>)> {
    Ok((write.change.shape()?, write.warnings))
}

/// What is known of the tables of a query that was refused because of one of them.
fn tables_of(room: &Room, query: &Query, item: &Item) -> Vec<Json> {
    let joined = item.joins.iter().flatten().map(|join| &join.table);
    let names = std::iter::once(&query.table).chain(joined);
    names
        .map(|name| match room.schema.table(crate::rules::canonical_table(name)) {
            None => json!({ "table": name, "exists": false }),
            Some(table) => {
                let access = room.rights.table(table);
                let code = code(&access, &room.rights.codes);
                json!({ "table": table.name, "access": code, "rules": rule_labels(&access) })
            }
        })
        .collect()
}

/// The code of a table, what places in toolkits have to do with it, and whether a toolkit takes writing away.
fn code(access: &TableAccess, codes: &GroupRules) -> Json {
    let mut fields = match (&access.broken, access.code) {
        (Some(why), _) => json!({ "closed": why }),
        (None, Some(code)) => json!({ "code": code.to_string() }),
        (None, None) if access.rules.is_empty() => json!({ "denied": "no rule of the group is about this table" }),
        (None, None) => json!({ "code": null, "from": "row rules alone" }),
    };
    let origins = codes.table_origins(&access.table.name);
    if !origins.is_empty() {
        fields["codes"] = origins.into_iter().map(|(from, code)| (from, code.to_string())).collect();
    }
    if let Some(below) = access.read_only_below {
        fields["read_only"] = read_only(below).into();
    }
    fields
}

fn rule_labels(access: &TableAccess) -> Vec<&str> {
    access.rules.iter().map(|rule| rule.label.as_str()).collect()
}

fn explain_source(scope: &Scope<'_>, codes: &GroupRules, index: usize, action: Action) -> Json {
    let source = &scope.sources[index];
    let access = &source.access;
    let reads = index > 0 || action.reads();
    let reach = access.code.and_then(|code| if reads { code.read } else { code.write });
    let rows = match reach {
        None => "those that a row rule lets through",
        Some(Reach::All) => "all",
        Some(Reach::Group) => "those whose pinned_to is a user of the caller's group",
        Some(Reach::Own) => "those whose pinned_to is the caller",
    };
    let labels: Vec<&str> = source.rules.iter().map(|rule| access.rules[*rule].label.as_str()).collect();
    let columns: Vec<Json> = (0..access.table.columns.len())
        .filter_map(|position| explain_column(scope, codes, index, position, reads))
        .collect();
    let mut fields = json!({
        "table": access.table.name,
        "access": code(access, codes),
        "rows": rows,
        "row_rules": labels,
        "columns_with_rules": columns,
    });
    if !reads && !access.generated.is_empty() {
        fields["generated"] = access.generated.iter().map(Generator::explain).collect();
    }
    fields
}

/// What is special about a column; nothing for those that are simply open.
fn explain_column(scope: &Scope<'_>, codes: &GroupRules, index: usize, position: usize, reads: bool) -> Option<Json> {
    let source = &scope.sources[index];
    let column = source.access.columns[position];
    let read = match source.seen(position, scope.environment) {
        Seen::Everywhere => "yes",
        Seen::Nowhere => "no",
        Seen::Where(_) => "in some rows",
    };
    let write = match column.write {
        Visibility::Yes if source.rules_allow(position) => "yes",
        Visibility::No | Visibility::Yes => "no",
        Visibility::Unless(_) | Visibility::OnlyIf(_) => "in some rows",
    };
    if read == "yes" && (reads || write == "yes") {
        return None;
    }
    let name = &source.table().columns[position].name;
    let because = match column.code {
        Some(code) => match codes.column_toolkit(&source.table().name, name) {
            Some(toolkit) => format!("column rule {} of {toolkit}", code.word()),
            None => format!("column rule {}", code.word()),
        },
        None if column.read == Visibility::No => "it holds credentials".to_owned(),
        None if !source.rules_allow(position) || read == "in some rows" => "the columns of the row rules".to_owned(),
        None if column.protected && SYSTEM_COLUMNS.contains(&&**name) => {
            "it is a system column, which only rwa may write".to_owned()
        }
        None if column.protected => "a toolkit protects it, so that only rwa may write it".to_owned(),
        None => "the database computes it".to_owned(),
    };
    Some(if reads {
        json!({ "column": name, "read": read, "because": because })
    } else {
        json!({ "column": name, "read": read, "write": write, "because": because })
    })
}
