//! Identity's doors over HTTP: one file an action.

mod accounts;
mod admin;
mod anonymous;
mod clear_sessions;
mod init;
mod keys;
mod links;
mod login;
mod logout;
mod preferences;
mod register;
mod second_factor;
mod sessions;
mod status;
mod webhooks;

use std::sync::Arc;

use edge::RequestInfo;
use kernel::{Group, time::rfc3339};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    Identity, User,
    entry::{Entered, Issued, Visitor},
};

/// The routes below `/auth/`, and the two by which a new installation is initialised.
pub fn routes(identity: Arc<Identity>) -> edge::Routes {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(logout::logout))
        .routes(routes!(register::register))
        .routes(routes!(status::status))
        .routes(routes!(clear_sessions::clear_sessions))
        .routes(routes!(preferences::preferences))
        .routes(routes!(init::init))
        .routes(routes!(init::init_walnut))
        .merge(sessions::routes())
        .merge(second_factor::routes())
        .merge(anonymous::routes())
        .merge(accounts::routes())
        .merge(links::routes())
        .merge(keys::routes())
        .merge(admin::routes())
        .merge(webhooks::routes())
        .layer(axum::middleware::from_fn(edge::tell_if_cut_off))
        .with_state(identity)
}

/// The routes on `assets.` hosts: the cookie of a session.
pub fn assets_routes(identity: Arc<Identity>) -> edge::Routes {
    sessions::assets_routes().with_state(identity)
}

/// The routes on `webhooks.` hosts: a sender's test of its connection.
pub fn webhooks_routes(identity: Arc<Identity>) -> edge::Routes {
    webhooks::webhooks_routes().with_state(identity)
}

/// A user as the answers show one.
#[derive(Serialize, ToSchema)]
struct Account {
    /// The user's number in the tenant.
    #[schema(example = 1)]
    id: i64,
    /// The user's id.
    #[schema(value_type = String, format = "uuid")]
    uuid: Uuid,
    /// The name to log in with.
    #[schema(example = "admin")]
    username: String,
    /// The e-mail address, where one is known.
    #[schema(example = "admin@example.com")]
    email: Option<String>,
    /// The name to show.
    #[schema(example = "Full Name")]
    name: String,
    /// The group's name.
    #[schema(example = "administrators")]
    role: String,
    /// The group's power, from 1 to 100.
    #[schema(example = 100)]
    power: u8,
}

impl Account {
    fn new(user: &User) -> Self {
        let User { id, number, username, email, name, group, .. } = user;
        Self::of(*number, *id, username, email.as_deref(), name, group)
    }

    fn of(number: i64, id: Uuid, username: &str, email: Option<&str>, name: &str, group: &Group) -> Self {
        Self {
            id: number,
            uuid: id,
            username: username.to_owned(),
            email: email.map(str::to_owned),
            name: name.to_owned(),
            role: group.name.clone(),
            power: group.power,
        }
    }

    fn of_principal(principal: &kernel::Principal) -> Self {
        let kernel::Principal { id, number, username, email, name, group, .. } = principal;
        Self::of(*number, *id, username, email.as_deref(), name, group)
    }
}

/// A session has begun.
#[derive(Serialize, ToSchema)]
struct SessionBegun {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The token for `Authorization: Bearer`.
    token: String,
    /// For one new pair of tokens, at `POST /auth/refresh`.
    #[schema(example = "inr_…")]
    refresh_token: String,
    /// When the session ends if it is used no more, RFC 3339 in UTC.
    expires_at: String,
    /// Until when the refresh token is good.
    refresh_expires_at: String,
    /// Who the token stands for.
    user: Account,
}

impl SessionBegun {
    fn new(entered: Entered) -> Self {
        let Issued { token, refresh_token, expires_at, refresh_expires_at } = entered.tokens;
        Self {
            success: true,
            token,
            refresh_token,
            expires_at: rfc3339(expires_at),
            refresh_expires_at: rfc3339(refresh_expires_at),
            user: Account::new(&entered.user),
        }
    }
}

fn visitor(info: RequestInfo) -> Visitor {
    Visitor { request: info.id, client: info.client, user_agent: info.user_agent }
}
