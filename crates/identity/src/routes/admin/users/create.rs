//! `POST /admin/users`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::{Error, Reason, Secret, ability};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{super::super::visitor, OneUser, Status};
use crate::{Actor, Field, Identity, NewUser, UserChange, generated_password, tables::users::Lookup};

/// A user to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateUser {
    /// 3 to 64 of the letters a to z, digits, dots, underscores and hyphens; unique in any case.
    #[schema(example = "jane")]
    username: String,
    /// An e-mail address; unique in any case.
    #[schema(example = "jane@example.com")]
    email: Option<String>,
    /// Whether the address counts as the user's own.
    #[serde(default)]
    email_verified: bool,
    /// The name to show; the user name where absent.
    name: Option<String>,
    /// 8 to 128 characters, not among the commonest. Without one nobody can log in with a password.
    #[schema(value_type = Option<String>, example = "correct horse battery")]
    password: Option<Secret>,
    /// Whether a password shall be made, which the answer shows once.
    #[serde(default)]
    generate: bool,
    /// Whether the user shall get a letter with a link to set a password by.
    #[serde(default)]
    invite: bool,
    /// The group's name; that of whoever registers where absent.
    #[schema(example = "users")]
    group: Option<String>,
    /// A PIN of 4 to 12 digits, for log-ins from the networks of `whitelisted_pin_ips`.
    #[schema(value_type = Option<String>)]
    pin: Option<Secret>,
    /// The text of a card or badge, 8 to 128 characters, for log-ins from the networks of `whitelisted_string_ips`.
    #[schema(value_type = Option<String>)]
    login_string: Option<Secret>,
    /// Whether the user may log in; `active` where absent.
    status: Option<Status>,
}

/// Makes a user in a group of at most the caller's power. Needs the ability `users.manage`.
#[utoipa::path(
    post,
    path = "/admin/users",
    operation_id = "create_user",
    request_body = CreateUser,
    responses(
        (status = 201, body = OneUser),
        (status = 403, body = edge::Envelope,
            description = "`power_too_low` or `ability_missing` where the group is beyond the caller, `scope_missing`."),
        (status = 409, body = edge::Envelope, description = "`username_taken`, `email_taken`."),
        (status = 422, body = edge::Envelope, description = "`username_unfit`, `email_unfit`, `password_unfit`."),
    )
)]
pub(super) async fn create_user(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<CreateUser>,
) -> edge::Result {
    caller.require(ability::USERS_MANAGE)?;
    if body.generate && body.password.is_some() {
        let message = "Either a password is given or one is made";
        return Err(Error::new(Reason::FieldInvalid, message).at("generate").into());
    }
    if body.invite && body.email.is_none() {
        return Err(Error::new(Reason::FieldMissing, "An invitation needs an e-mail address").at("email").into());
    }
    let made = body.generate.then(generated_password);
    let new = NewUser {
        username: body.username,
        email: body.email,
        name: body.name,
        password: made.clone().or(body.password),
        group: body.group,
        ..NewUser::default()
    };
    let more = UserChange {
        status: body.status.map(Into::into),
        email_verified: body.email_verified.then_some(true),
        pin: body.pin.map_or(Field::Kept, Field::Set),
        login_string: body.login_string.map_or(Field::Kept, Field::Set),
        ..UserChange::default()
    };
    let open = identity.tenants.open(caller.tenant()).await?;
    let actor = Actor::caller(caller.principal(), &visitor(info));
    let user = identity.add_user(&open, &actor, new, more).await?;
    // The user is there; a letter that cannot be stored does not undo that.
    let invited = if body.invite {
        Some(identity.invite(&open, &user, Some(&caller.principal().username)).await.is_ok())
    } else {
        None
    };
    let record = identity.user_record(&open, &Lookup::Id(user.id), false).await?;
    let password = made.map(|password| password.expose().to_owned());
    Ok(Answer::created(OneUser { password, invited, ..OneUser::new(record) }))
}
