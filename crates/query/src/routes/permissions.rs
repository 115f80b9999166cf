//! `GET /permissions`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Result};
use kernel::ability;
use serde_json::{Map, Value as Json, json};

use crate::{Service, rules::ColumnCode, service::Room};

/// What the caller may do with each table.
#[utoipa::path(
    get,
    path = "/permissions",
    tag = "query",
    responses((status = 200, description = "Codes by table, column rules, limits", body = Object))
)]
pub(super) async fn permissions(State(service): State<Arc<Service>>, caller: Caller) -> Result<Answer> {
    caller.require(ability::DATA_READ)?;
    let principal = caller.principal();
    let group = &principal.group;
    let room = service.room(&caller.0).await?;
    let (tables, columns) = tables(&room, group);
    let limits = service.limits(&caller.0).await?;
    let toolkits = room.terms.places(principal);
    let mut fields = json!({
        "user": {
            "id": principal.number, "username": principal.username, "name": principal.name,
            "role": group.name, "power": group.power,
        },
        "permissions": tables,
        "toolkits": toolkits,
        "user_settings_access": group.user_settings_access,
        "max_limit": limits.most,
        "max_where": limits.conditions,
    });
    if let (Json::Object(fields), false) = (&mut fields, columns.is_empty()) {
        fields.insert("column_rules".into(), Json::Object(columns));
    }
    Ok(Answer::ok(fields))
}

/// The codes of all tables that the group reaches by itself, and the column rules of those.
fn tables(room: &Room, group: &Arc<kernel::Group>) -> (Map<String, Json>, Map<String, Json>) {
    let (mut codes, mut columns) = (Map::new(), Map::new());
    let mut tables: Vec<_> = room.schema.tables().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let rights = room.rights_of(group);
    for table in tables {
        let access = rights.table(table);
        if access.broken.is_some() || (access.code.is_none() && access.rules.is_empty()) {
            continue;
        }
        let code = access.code.map_or_else(|| "rules".to_owned(), |code| code.to_string());
        codes.insert(table.name.clone(), code.into());
        for (column, rights) in table.columns.iter().zip(&access.columns) {
            if let Some(code) = rights.code {
                columns.insert(format!("{}.{}", table.name, column.name), ColumnCode::word(code).into());
            }
        }
    }
    (codes, columns)
}
