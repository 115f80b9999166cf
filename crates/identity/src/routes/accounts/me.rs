//! `/auth/me`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use edge::{Answer, Caller, Json, OptionalJson, RequestInfo};
use kernel::{Secret, time::rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Field, Identity,
    accounts::{AccountChange, Farewell, OwnAccount, Profile, ProfileChange},
    routes::{Account, visitor},
    second_factor::Proof,
};

/// The caller's account.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The account.
    user: WholeAccount,
}

/// All that users see of themselves.
#[derive(Serialize, ToSchema)]
struct WholeAccount {
    #[serde(flatten)]
    account: Account,
    /// When the address proved to be the user's own, RFC 3339 in UTC.
    email_verified_at: Option<String>,
    /// Whether the user may log in.
    #[schema(example = "active")]
    status: &'static str,
    /// When the user was made.
    created_at: String,
    /// Whether logging in takes a code of a second factor.
    second_factor: bool,
    /// Whether the user has a password.
    has_password: bool,
    /// What the user tells others.
    profile: Profile,
}

impl Me {
    fn new(own: OwnAccount) -> Self {
        let OwnAccount { user, profile, second_factor, has_password } = own;
        let user = WholeAccount {
            account: Account::new(&user),
            email_verified_at: user.email_verified_at.map(rfc3339),
            status: user.status.word(),
            created_at: rfc3339(user.created_at),
            second_factor,
            has_password,
            profile,
        };
        Self { success: true, user }
    }
}

/// What shall be otherwise; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeMe {
    /// The name to show.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Field<String>,
    /// Another name to log in with; only with a session.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    username: Field<String>,
    /// What the user tells others; null clears a field.
    #[serde(default)]
    profile: ProfileChange,
}

/// What is sent to remove the account.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteMe {
    /// The password, from users who have one.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    /// The user name, from users who have no password.
    confirm: Option<String>,
    /// The code of the moment, from users who have a second factor.
    #[schema(value_type = Option<String>, example = "287082")]
    code: Option<Secret>,
    /// One of the recovery codes, instead of the code.
    #[schema(value_type = Option<String>, example = "k7m2p-9xw4q")]
    recovery_code: Option<Secret>,
}

/// The caller's account.
#[utoipa::path(
    get,
    path = "/auth/me",
    operation_id = "me",
    responses(
        (status = 200, body = Me),
        (status = 403, body = edge::Envelope, description = "`scope_missing`, `session_required`."),
    )
)]
pub(super) async fn me(State(identity): State<Arc<Identity>>, caller: Caller) -> edge::Result {
    let own = identity.own_account(caller.tenant(), caller.principal()).await?;
    Ok(Answer::with_status(200, Me::new(own)))
}

/// Changes the caller's account. Fields that are absent stay as they are, whoever else changes them at the same time.
#[utoipa::path(
    patch,
    path = "/auth/me",
    operation_id = "change_me",
    request_body = ChangeMe,
    responses(
        (status = 200, body = Me),
        (status = 400, body = edge::Envelope, description = "`field_invalid`, `field_unknown`."),
        (status = 403, body = edge::Envelope, description = "`scope_missing`, `session_required`."),
        (status = 409, body = edge::Envelope, description = "`username_taken`."),
        (status = 422, body = edge::Envelope, description = "`username_unfit`."),
    )
)]
pub(super) async fn change_me(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(body): Json<ChangeMe>,
) -> edge::Result {
    let change = AccountChange {
        name: body.name.needed("name")?,
        username: body.username.needed("username")?,
        profile: body.profile,
    };
    let own = identity.change_own_account(caller.tenant(), &visitor(info), caller.principal(), change).await?;
    Ok(Answer::with_status(200, Me::new(own)))
}

/// Removes the caller's account for ever, with its sessions and keys.
#[utoipa::path(
    delete,
    path = "/auth/me",
    operation_id = "delete_me",
    request_body = DeleteMe,
    responses(
        (status = 204),
        (status = 400, body = edge::Envelope, description = "`field_missing`, `field_invalid`."),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`, `code_invalid`."),
        (status = 403, body = edge::Envelope, description = "`session_required`."),
        (status = 409, body = edge::Envelope, description = "`last_administrator`."),
    )
)]
pub(super) async fn delete_me(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    OptionalJson(body): OptionalJson<DeleteMe>,
) -> edge::Result {
    let DeleteMe { password, confirm, code, recovery_code } = body.unwrap_or_default();
    let farewell = Farewell { password, confirm, second_factor: Proof::maybe(code, recovery_code)? };
    identity.delete_own_account(caller.tenant(), &visitor(info), caller.principal(), farewell).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
