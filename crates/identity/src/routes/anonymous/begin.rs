//! `POST /auth/anonymous`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, OptionalJson, RequestInfo, Site};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    CaptchaAction, Identity,
    routes::{SessionBegun, visitor},
};

/// Nothing is asked for, but for a captcha where the tenant wants one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    /// The answer of a captcha.
    captcha: Option<String>,
}

/// Makes a user of the group `anonymous` and begins a session.
///
/// Nothing but this session leads back to the user, until `POST /auth/upgrade` makes a registered one of it.
#[utoipa::path(
    post,
    path = "/auth/anonymous",
    operation_id = "begin_anonymously",
    security(()),
    request_body = Option<Begin>,
    responses(
        (status = 201, body = SessionBegun),
        (status = 403, body = edge::Envelope, description = "`registration_closed`, `captcha_failed`."),
    )
)]
pub(super) async fn begin(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    info: RequestInfo,
    OptionalJson(body): OptionalJson<Begin>,
) -> edge::Result {
    let captcha = body.and_then(|body| body.captcha);
    identity.captcha(&site.tenant, CaptchaAction::Anonymous, captcha.as_deref(), info.client).await?;
    let entered = identity.begin_anonymously(&site.tenant, &visitor(info)).await?;
    Ok(Answer::with_status(201, SessionBegun::new(entered)))
}
