//! `GET /admin/tenants`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Query};
use kernel::TenantStatus;
use serde::{Deserialize, Serialize};
use store::TenantFilter;
use utoipa::{IntoParams, ToSchema};

use super::{super::paging, AdminTenant};
use crate::Identity;

const STATUSES: [(&str, TenantStatus); 2] = [("active", TenantStatus::Active), ("suspended", TenantStatus::Suspended)];

/// Which tenants, in which order.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListTenants {
    /// Tenants a page has at the most, from 1 to 200; 50 where absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// `number`, `name`, `domain` or `created_at`; with `-` before it the other way round.
    #[param(example = "name")]
    sort: Option<String>,
    /// A part of the name or the domain, in any case.
    q: Option<String>,
    /// Only `active` or only `suspended` tenants.
    status: Option<String>,
}

/// One page of tenants.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantPage {
    /// The tenants.
    tenants: Vec<AdminTenant>,
    /// The `cursor` of the next page; null on the last.
    next_cursor: Option<String>,
}

/// Tenants of the installation, by pages. Needs the ability `tenants.manage` in the first tenant.
#[utoipa::path(
    get,
    path = "/admin/tenants",
    operation_id = "list_tenants",
    params(ListTenants),
    responses(
        (status = 200, body = TenantPage),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
pub(super) async fn list_tenants(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Query(query): Query<ListTenants>,
) -> edge::Result {
    identity.require_first_tenant(caller.tenant(), caller.principal()).await?;
    let page = paging::page(query.limit.as_deref(), query.cursor.as_deref(), query.sort.as_deref())?;
    let filter = TenantFilter {
        status: paging::word("status", query.status.as_deref(), &STATUSES)?,
        text: paging::text("q", query.q)?,
    };
    let found = identity.tenant_page(&filter, &page).await?;
    Ok(Answer::ok(TenantPage {
        next_cursor: found.next.as_ref().map(|last| paging::cursor(&page, last)),
        tenants: found.rows.iter().map(|record| AdminTenant::new(record, caller.tenant())).collect(),
    }))
}
