//! `/admin/tenants`, for administrators of the first tenant.

mod change;
mod create;
mod list;
mod remove;
mod show;

use std::sync::Arc;

use kernel::{Tenant, TenantStatus, time::rfc3339};
use serde::{Deserialize, Serialize};
use store::TenantRecord;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::Identity;

pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().routes(routes!(list::list_tenants, create::create_tenant)).routes(routes!(
        show::show_tenant,
        change::change_tenant,
        remove::delete_tenant
    ))
}

/// A tenant: an isolated site with its own domain and database.
#[derive(Serialize, ToSchema)]
struct AdminTenant {
    /// The tenant's number: 1 for the first.
    #[schema(example = 2)]
    id: i64,
    /// The tenant's id, which is also the issuer's name in its tokens.
    #[schema(format = "uuid")]
    uuid: String,
    /// The name.
    #[schema(example = "shop")]
    name: String,
    /// The domain below which its hosts are; null where there is none.
    #[schema(example = "shop.example")]
    domain: Option<String>,
    /// Whether it answers.
    status: Status,
    /// Whether it is the first, which can be neither suspended nor deleted here.
    first: bool,
    /// Whether its database was there before it.
    adopted: bool,
    /// Origins of web pages that may call it; `*` stands for all.
    #[schema(example = json!(["https://shop.example"]))]
    cors_origins: Vec<String>,
    /// When it was made, RFC 3339 in UTC.
    created_at: String,
}

/// Whether a tenant answers.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantStatus)]
enum Status {
    /// It answers.
    Active,
    /// Everything but the operator's commands is refused.
    Suspended,
}

impl From<Status> for TenantStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
        }
    }
}

impl AdminTenant {
    fn new(record: &TenantRecord, first: &Tenant) -> Self {
        let tenant = &record.tenant;
        Self {
            id: record.number,
            uuid: tenant.id.to_string(),
            name: tenant.name.clone(),
            domain: tenant.domain.clone(),
            status: match tenant.status {
                TenantStatus::Active => Status::Active,
                TenantStatus::Suspended => Status::Suspended,
            },
            first: tenant.id == first.id,
            adopted: record.adopted,
            cors_origins: tenant.cors_origins.clone(),
            created_at: rfc3339(record.created_at),
        }
    }
}

/// One tenant.
#[derive(Serialize, ToSchema)]
struct OneTenant {
    /// The tenant.
    tenant: AdminTenant,
    /// The password that was made for its administrator; it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl OneTenant {
    fn new(record: &TenantRecord, first: &Tenant) -> Self {
        Self { tenant: AdminTenant::new(record, first), password: None }
    }
}
