//! `POST /auth/login`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, RequestInfo, Site};
use kernel::{Error, Reason, Secret};
use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;

use super::{SessionBegun, visitor};
use crate::Identity;

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    /// How.
    method: Method,
    /// The user name; an e-mail address is taken as well.
    #[schema(example = "admin")]
    username: Option<String>,
    /// The e-mail address, instead of the user name.
    email: Option<String>,
    /// The password.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Option<Secret>,
    /// Fields of methods that this server does not have: known, so that the refusal is about the method.
    #[serde(default, rename = "pin")]
    #[schema(ignore)]
    _pin: IgnoredAny,
    #[serde(default, rename = "login_string")]
    #[schema(ignore)]
    _login_string: IgnoredAny,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Method {
    /// A user name or an e-mail address, and a password.
    Password,
}

/// Begins a session.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "login",
    security(()),
    request_body = LogIn,
    responses(
        (status = 200, body = SessionBegun),
        (status = 401, body = edge::Envelope, description = "`credentials_invalid`, whatever was wrong."),
    )
)]
pub(super) async fn login(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<LogIn>,
) -> edge::Result {
    let LogIn { method: Method::Password, username, email, password, .. } = body;
    let missing = |field| Error::new(Reason::FieldMissing, "This field is required").at(field);
    if username.is_some() && email.is_some() {
        let message = "Send either the user name or the e-mail address, not both";
        return Err(Error::new(Reason::FieldInvalid, message).at("email").into());
    }
    let name = username.or(email).ok_or_else(|| missing("username"))?;
    let password = password.ok_or_else(|| missing("password"))?;
    let entered = identity.log_in(&site.tenant, &visitor(info), &name, &password).await?;
    Ok(Answer::with_status(200, SessionBegun::new(entered)))
}
