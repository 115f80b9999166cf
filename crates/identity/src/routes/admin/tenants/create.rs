//! `POST /admin/tenants`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::Secret;
use serde::Deserialize;
use store::NewTenant;
use utoipa::ToSchema;

use super::{super::super::visitor, OneTenant};
use crate::{Actor, Identity, NewUser};

/// A tenant to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTenant {
    /// Lower-case letters, digits and single hyphens, a letter first, at most 40.
    #[schema(example = "shop")]
    name: String,
    /// The domain below which its hosts are: `api.`, `assets.` and `webhooks.`.
    #[schema(example = "shop.example")]
    domain: Option<String>,
    /// Origins of web pages that may call it; `*` stands for all.
    #[serde(default)]
    cors_origins: Vec<String>,
    /// The URL of a PostgreSQL or MariaDB database to adopt; one of its own where absent.
    #[schema(value_type = Option<String>)]
    database: Option<Secret>,
    /// The URL of a server for Insula's own tables, where they may not lie in the adopted database.
    #[schema(value_type = Option<String>)]
    system_database: Option<Secret>,
    /// Its first administrator; without one, users are made on the command line.
    admin: Option<FirstAdministrator>,
}

/// The first administrator of a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstAdministrator {
    /// The name to log in with.
    #[schema(example = "admin")]
    username: String,
    /// The e-mail address.
    email: Option<String>,
    /// The password; where absent one is made, which the answer shows once.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
}

/// Makes a tenant with its database and its first administrator, whole or not at all. Needs the ability
/// `tenants.manage` in the first tenant.
#[utoipa::path(
    post,
    path = "/admin/tenants",
    operation_id = "create_tenant",
    request_body = CreateTenant,
    responses(
        (status = 201, body = OneTenant),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
        (status = 409, body = edge::Envelope,
            description = "`name_taken` for the name or the domain, `conflict` where the database is another tenant's."),
        (status = 422, body = edge::Envelope, description = "`username_unfit`, `email_unfit`, `password_unfit`."),
    )
)]
pub(super) async fn create_tenant(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<CreateTenant>,
) -> edge::Result {
    identity.require_first_tenant(caller.tenant(), caller.principal()).await?;
    let url = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
    let new = NewTenant {
        name: body.name,
        domain: body.domain,
        cors_origins: body.cors_origins,
        database: url(body.database),
        system_database: url(body.system_database),
        first: false,
    };
    let administrator = body.admin.map(|admin| NewUser {
        username: admin.username,
        email: admin.email,
        password: admin.password,
        ..NewUser::default()
    });
    let actor = Actor::caller(caller.principal(), &visitor(info));
    let made = identity.add_tenant(caller.tenant(), &actor, new, administrator).await?;
    let password = made.password.map(|password| password.expose().to_owned());
    Ok(Answer::created(OneTenant { password, ..OneTenant::new(&made.tenant, caller.tenant()) }))
}
