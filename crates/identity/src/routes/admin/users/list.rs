//! `GET /admin/users`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Query};
use kernel::{Error, Reason, ability};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{super::paging, AdminUser};
use crate::{Identity, UserStatus, admin::users::UserFilter};

const STATUSES: [(&str, UserStatus); 2] = [("active", UserStatus::Active), ("suspended", UserStatus::Suspended)];

/// Which users, in which order.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListUsers {
    /// Users a page has at the most, from 1 to 200; 50 where absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// `number`, `username`, `email`, `name` or `created_at`; with `-` before it the other way round.
    #[param(example = "-created_at")]
    sort: Option<String>,
    /// A part of the user name, the e-mail address or the name, in any case.
    q: Option<String>,
    /// Only users of this group.
    group: Option<String>,
    /// Only `active` or only `suspended` users.
    status: Option<String>,
    /// Only users made after this moment, RFC 3339.
    #[param(value_type = Option<String>, format = "date-time")]
    created_after: Option<String>,
    /// Only users made before this moment, RFC 3339.
    #[param(value_type = Option<String>, format = "date-time")]
    created_before: Option<String>,
    /// Whether to tell how many there are on all pages.
    #[param(value_type = Option<bool>)]
    count: Option<String>,
    /// `profile` for what users tell others.
    expand: Option<String>,
}

/// One page of users.
#[derive(Serialize, ToSchema)]
pub(super) struct UserPage {
    /// The users.
    users: Vec<AdminUser>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
    /// With `count=true`: how many there are on all pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
}

/// Users of the tenant, by pages. Needs the ability `users.read`.
#[utoipa::path(
    get,
    path = "/admin/users",
    operation_id = "list_users",
    params(ListUsers),
    responses(
        (status = 200, body = UserPage),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
pub(super) async fn list_users(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Query(query): Query<ListUsers>,
) -> edge::Result {
    caller.require(ability::USERS_READ)?;
    let page = paging::page(query.limit.as_deref(), query.cursor.as_deref(), query.sort.as_deref())?;
    let count = paging::flag("count", query.count.as_deref())?;
    let profile = expands_profile(query.expand.as_deref())?;
    let filter = UserFilter {
        status: paging::word("status", query.status.as_deref(), &STATUSES)?,
        created_after: paging::moment("created_after", query.created_after.as_deref())?,
        created_before: paging::moment("created_before", query.created_before.as_deref())?,
        text: paging::text("q", query.q)?,
        group: paging::text("group", query.group)?,
    };
    let open = identity.tenants.open(caller.tenant()).await?;
    let found = identity.user_page(&open, &filter, &page, profile).await?;
    let total = if count { Some(identity.count_users(&open, &filter).await?) } else { None };
    Ok(Answer::ok(UserPage {
        next_cursor: found.next.as_ref().map(|last| paging::cursor(&page, last)),
        users: found.rows.into_iter().map(AdminUser::from).collect(),
        total,
    }))
}

/// Whether profiles are asked for.
pub(super) fn expands_profile(expand: Option<&str>) -> kernel::Result<bool> {
    match expand {
        None => Ok(false),
        Some("profile") => Ok(true),
        Some(_) => Err(Error::new(Reason::FieldInvalid, "Only profile can be expanded").at("expand")),
    }
}
