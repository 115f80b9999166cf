//! `PATCH /admin/users/{id}`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, Path, RequestInfo};
use kernel::{Secret, ability};
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use super::{super::super::visitor, OneUser, Status, ToolkitPlace, named};
use crate::{Actor, Field, Identity, UserChange, tables::users::Lookup};

/// What changes of a user; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeUser {
    /// The name to log in with.
    username: Option<String>,
    /// The e-mail address; null for none. Another address is unconfirmed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email: Field<String>,
    /// Whether the address counts as the user's own.
    email_verified: Option<bool>,
    /// The name to show.
    name: Option<String>,
    /// The group's name.
    group: Option<String>,
    /// Whether the user may log in; suspension ends all sessions.
    status: Option<Status>,
    /// Another password, which ends all sessions.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    /// A PIN of 4 to 12 digits; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pin: Field<Secret>,
    /// The text of a card or badge, 8 to 128 characters; null for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    login_string: Field<Secret>,
    /// Null removes it, for whoever has lost it. Only the user can set one.
    #[serde(default)]
    #[schema(value_type = Option<()>)]
    second_factor: Field<Never>,
    /// The places in toolkits that the user has whatever the group has, in place of those before; null for none. Takes
    /// a power of 100 and the ability `groups.manage`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<ToolkitPlace>>)]
    toolkit_overrides: Field<Vec<ToolkitPlace>>,
}

/// What cannot be sent: in its place is null, or nothing.
struct Never;

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("This can only be null"))
    }
}

impl From<ChangeUser> for UserChange {
    fn from(body: ChangeUser) -> Self {
        Self {
            username: body.username,
            email: body.email,
            name: body.name,
            group: body.group,
            status: body.status.map(Into::into),
            password: body.password,
            email_verified: body.email_verified,
            pin: body.pin,
            login_string: body.login_string,
            reset_second_factor: body.second_factor.is_sent(),
            toolkit_overrides: body
                .toolkit_overrides
                .sent()
                .map(|own| own.unwrap_or_default().into_iter().map(Into::into).collect()),
        }
    }
}

/// Changes a user of at most the caller's power, all or nothing. Needs the ability `users.manage`.
#[utoipa::path(
    patch,
    path = "/admin/users/{id}",
    operation_id = "change_user",
    params(("id" = String, Path, description = "The user's id or number.")),
    request_body = ChangeUser,
    responses(
        (status = 200, body = OneUser),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` or `ability_missing` where the user or the group is beyond the caller, \
                           `scope_missing`."),
        (status = 404, body = edge::Envelope, description = "`not_found`."),
        (status = 409, body = edge::Envelope,
            description = "`username_taken`, `email_taken`, `last_administrator`, `conflict` for suspending oneself."),
        (status = 422, body = edge::Envelope, description = "`username_unfit`, `email_unfit`, `password_unfit`."),
    )
)]
pub(super) async fn change_user(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    Path(id): Path<String>,
    info: RequestInfo,
    Json(body): Json<ChangeUser>,
) -> edge::Result {
    caller.require(ability::USERS_MANAGE)?;
    let open = identity.tenants.open(caller.tenant()).await?;
    let known = identity.user_record(&open, &named(&id), false).await?.user;
    let actor = Actor::caller(caller.principal(), &visitor(info));
    identity.change_user(&open, &actor, known.id, body.into()).await?;
    Ok(Answer::ok(OneUser::new(identity.user_record(&open, &Lookup::Id(known.id), false).await?)))
}
