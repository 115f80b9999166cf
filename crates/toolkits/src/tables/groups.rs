//! Tables of a tenant with the groups of a toolkit.

use std::{collections::BTreeMap, sync::Arc};

use kernel::RuleCheck;
use sea_query::{Alias, Query};
use store::{Database, Result, Row};

use crate::{places::Place, toolkit::Toolkit};

/// Groups that one table may have; more are not read.
const MOST: u64 = 1_000;
const COLUMNS: [&str; 3] = ["name", "permissions", "endpoint_permissions"];
const COLUMN_RULES: &str = "column_rules";

/// The groups of a toolkit's table; none where the database does not have the table. A row that cannot be read gives
/// nothing and is logged.
pub(crate) async fn read(
    database: &Database,
    toolkit: &Toolkit,
    rules: &dyn RuleCheck,
) -> Result<Option<BTreeMap<String, Arc<Place>>>> {
    let Some(name) = &toolkit.file.groups_table else { return Ok(None) };
    let schema = database.schema();
    let Some(table) = schema.table(name) else { return Ok(None) };
    let toolkit = &toolkit.file;
    if let Some(missing) = COLUMNS.iter().find(|column| table.column(column).is_none()) {
        tracing::error!(
            toolkit = toolkit.name,
            table = name,
            missing,
            "the table of groups lacks a column; nobody has a place"
        );
        return Ok(Some(BTreeMap::new()));
    }
    let more = table.column(COLUMN_RULES).map(|_| COLUMN_RULES);
    let mut select = Query::select();
    select.columns(COLUMNS.into_iter().chain(more).map(Alias::new)).from(table.reference()).limit(MOST);
    let mut groups = BTreeMap::new();
    for row in database.read(&select).await? {
        match place(&row, more.is_some(), &toolkit.tables, rules) {
            Ok(place) => drop(groups.insert(place.name.clone(), Arc::new(place))),
            Err(problem) => {
                let group = row.maybe_text(0).ok().flatten().unwrap_or_default();
                tracing::error!(
                    toolkit = toolkit.name,
                    table = name,
                    group,
                    problem,
                    "a group of a toolkit gives nothing"
                );
            }
        }
    }
    Ok(Some(groups))
}

fn place(row: &Row, with_columns: bool, tables: &[String], check: &dyn RuleCheck) -> Result<Place, String> {
    let list = |index: usize| -> Result<Vec<String>, String> {
        let text = row.maybe_text(index).map_err(|error| error.to_string())?;
        match text.filter(|text| !text.trim().is_empty()) {
            None => Ok(Vec::new()),
            Some(text) => {
                let read = serde_json::from_str::<Option<Vec<String>>>(text);
                Ok(read.map_err(|error| format!("a list of rules is not JSON: {error}"))?.unwrap_or_default())
            }
        }
    };
    let name = row.text(0).map_err(|error| error.to_string())?.to_owned();
    let column_rules = if with_columns { list(3)? } else { Vec::new() };
    let place = Place { name, permissions: list(1)?, column_rules, endpoint_permissions: list(2)? };
    check.check_rules(&place.permissions, &place.column_rules).map_err(|error| error.message)?;
    let mut rules = place.permissions.iter().chain(&place.column_rules);
    let foreign = rules.find(|rule| {
        let table = rule.split(['.', ':']).next().unwrap_or_default();
        !tables.iter().any(|known| known == table)
    });
    match foreign {
        Some(rule) => Err(format!("{rule:?} is about none of the toolkit's tables")),
        None => Ok(place),
    }
}
