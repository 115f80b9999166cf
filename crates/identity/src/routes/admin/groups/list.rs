//! `GET /admin/groups`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Query};
use kernel::ability;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{super::paging, AdminGroup};
use crate::Identity;

/// Which groups, in which order.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListGroups {
    /// Groups a page has at the most, from 1 to 200; 50 where absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// `power` or `name`; with `-` before it the other way round.
    #[param(example = "-power")]
    sort: Option<String>,
    /// A part of the name or the description, in any case.
    q: Option<String>,
}

/// One page of groups.
#[derive(Serialize, ToSchema)]
pub(super) struct GroupPage {
    /// The groups.
    groups: Vec<AdminGroup>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Groups of the tenant, by pages, the weakest first. Needs the ability `groups.read`.
#[utoipa::path(
    get,
    path = "/admin/groups",
    operation_id = "list_groups",
    params(ListGroups),
    responses(
        (status = 200, body = GroupPage),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
pub(super) async fn list_groups(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Query(query): Query<ListGroups>,
) -> edge::Result {
    caller.require(ability::GROUPS_READ)?;
    let page = paging::page(query.limit.as_deref(), query.cursor.as_deref(), query.sort.as_deref())?;
    let text = paging::text("q", query.q)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let found = identity.group_page(&open, text.as_deref(), &page).await?;
    Ok(Answer::ok(GroupPage {
        next_cursor: found.next.as_ref().map(|last| paging::cursor(&page, last)),
        groups: found.rows.into_iter().map(AdminGroup::from).collect(),
    }))
}
