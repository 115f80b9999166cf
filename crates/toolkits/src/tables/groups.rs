//! Tables of a tenant with the groups of a toolkit.

use std::{collections::BTreeMap, sync::Arc};

use kernel::RuleCheck;
use sea_query::{Alias, Order, Query};
use store::{Database, Result, Row};

use crate::{
    file::ToolkitFile,
    places::{Place, Problems},
};

/// Groups that one table may have; more are not read.
const MOST: usize = 1_000;
const COLUMNS: [&str; 3] = ["name", "permissions", "endpoint_permissions"];
const COLUMN_RULES: &str = "column_rules";

/// The groups of a toolkit's table; none where the database does not have the table. A row that cannot be read, and a
/// name that is there twice, gives nothing and is a problem.
pub(crate) async fn read(
    database: &Database,
    file: &ToolkitFile,
    rules: &dyn RuleCheck,
    problems: &mut Problems,
) -> Result<Option<BTreeMap<String, Arc<Place>>>> {
    let Some(name) = &file.groups_table else { return Ok(None) };
    let schema = database.schema();
    let Some(table) = schema.table(name) else { return Ok(None) };
    let mut tell = |problem: String| {
        problems.insert(format!("{}, table {name}: {problem}", file.name));
    };
    if let Some(missing) = COLUMNS.iter().find(|column| table.column(column).is_none()) {
        tell(format!("it lacks the column {missing}, so that nobody has a place"));
        return Ok(Some(BTreeMap::new()));
    }
    let more = table.column(COLUMN_RULES).map(|_| COLUMN_RULES);
    let mut select = Query::select();
    select.columns(COLUMNS.into_iter().chain(more).map(Alias::new)).from(table.reference());
    select.order_by(Alias::new(COLUMNS[0]), Order::Asc).limit(MOST as u64 + 1);
    let rows = database.read(&select).await?;
    if rows.len() > MOST {
        tell(format!("groups after the first {MOST} by name are not read"));
    }
    let mut groups = BTreeMap::<String, Option<Place>>::new();
    // The one row more tells whether the name before it is there twice.
    for (index, row) in rows.iter().enumerate() {
        let group = match row.text(0) {
            Ok(group) => group.to_owned(),
            Err(error) => {
                tell(format!("a group without a name gives nothing: {error}"));
                continue;
            }
        };
        if let Some(known) = groups.get_mut(&group) {
            tell(format!("the group {:?} is there twice and gives nothing", shortened(&group)));
            *known = None;
        } else if index < MOST {
            let place = place(&group, row, more.is_some(), &file.tables, rules).map_err(|problem| {
                tell(format!("the group {:?} gives nothing: {}", shortened(&group), shortened(&problem)));
            });
            groups.insert(group, place.ok());
        }
    }
    let whole = groups.into_iter().filter_map(|(name, place)| Some((name, Arc::new(place?))));
    Ok(Some(whole.collect()))
}

fn place(name: &str, row: &Row, with_columns: bool, tables: &[String], check: &dyn RuleCheck) -> Result<Place, String> {
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
    let column_rules = if with_columns { list(3)? } else { Vec::new() };
    let place = Place { name: name.to_owned(), permissions: list(1)?, column_rules, endpoint_permissions: list(2)? };
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

/// What stands in a table, for the log.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
