//! `POST /auth/login`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, RequestInfo, Site};
use kernel::{Error, Reason, Result, Secret};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{SessionBegun, visitor};
use crate::{CaptchaAction, Identity};

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    /// How.
    method: Method,
    /// The user name; an e-mail address is taken as well. For `password` and `pin`.
    #[schema(example = "admin")]
    username: Option<String>,
    /// The e-mail address, instead of the user name.
    email: Option<String>,
    /// The password. For `password`.
    #[schema(value_type = String, example = "correct horse battery")]
    password: Option<Secret>,
    /// The PIN. For `pin`.
    #[schema(value_type = String, example = "1234")]
    pin: Option<Secret>,
    /// The text of the card or badge. For `token`.
    #[schema(value_type = String, example = "NFC-04A2B19C")]
    login_string: Option<Secret>,
    /// The answer of a captcha, where the tenant asks for one. For `password`.
    captcha: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Method {
    /// A user name or an e-mail address, and a password.
    Password,
    /// A user name or an e-mail address, and a PIN; from listed addresses.
    Pin,
    /// A card or badge; from listed addresses.
    Token,
}

/// What a method needs.
enum Credentials {
    Password { name: String, password: Secret, captcha: Option<String> },
    Pin { name: String, pin: Secret },
    Card(Secret),
}

impl LogIn {
    /// Refuses what is missing and what belongs to another method.
    fn credentials(self) -> Result<Credentials> {
        let Self { method, username, email, password, pin, login_string, captcha } = self;
        let foreign = [
            ("username", username.is_some() && matches!(method, Method::Token)),
            ("email", email.is_some() && matches!(method, Method::Token)),
            ("password", password.is_some() && !matches!(method, Method::Password)),
            ("pin", pin.is_some() && !matches!(method, Method::Pin)),
            ("login_string", login_string.is_some() && !matches!(method, Method::Token)),
            ("captcha", captcha.is_some() && !matches!(method, Method::Password)),
        ];
        if let Some((field, _)) = foreign.into_iter().find(|(_, foreign)| *foreign) {
            return Err(Error::new(Reason::FieldUnknown, "This field belongs to another method").at(field));
        }
        if username.is_some() && email.is_some() {
            let message = "Send either the user name or the e-mail address, not both";
            return Err(Error::new(Reason::FieldInvalid, message).at("email"));
        }
        let missing = |field| move || Error::new(Reason::FieldMissing, "This field is required").at(field);
        let name = || username.or(email).ok_or_else(missing("username"));
        Ok(match method {
            Method::Password => {
                Credentials::Password { name: name()?, password: password.ok_or_else(missing("password"))?, captcha }
            }
            Method::Pin => Credentials::Pin { name: name()?, pin: pin.ok_or_else(missing("pin"))? },
            Method::Token => Credentials::Card(login_string.ok_or_else(missing("login_string"))?),
        })
    }
}

/// Begins a session.
///
/// `pin` and `token` are refused with 403 from addresses that the settings do not list, whatever was sent. A user with a
/// second factor gets 401 `second_factor_required` with a ticket for `POST /auth/totp/verify`.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "login",
    security(()),
    request_body = LogIn,
    responses(
        (status = 200, body = SessionBegun),
        (
            status = 401,
            body = edge::Envelope,
            description = "`credentials_invalid`, whatever was wrong; `second_factor_required`.",
        ),
        (status = 403, body = edge::Envelope, description = "`address_not_allowed`, `captcha_failed`, `email_unverified`."),
    )
)]
pub(super) async fn login(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    Json(body): Json<LogIn>,
) -> edge::Result {
    let (tenant, visitor) = (&site.tenant, visitor(info));
    let entered = match body.credentials()? {
        Credentials::Password { name, password, captcha } => {
            identity.captcha(tenant, CaptchaAction::Login, captcha.as_deref(), visitor.client).await?;
            identity.log_in(tenant, &visitor, &name, &password).await?
        }
        Credentials::Pin { name, pin } => identity.log_in_by_pin(tenant, &visitor, &name, &pin).await?,
        Credentials::Card(text) => identity.log_in_by_card(tenant, &visitor, &text).await?,
    };
    Ok(Answer::with_status(200, SessionBegun::new(entered)))
}
