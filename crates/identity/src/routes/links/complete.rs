//! `POST /auth/link/{provider}/complete`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Json, MaybeCaller, Path, RequestInfo, Site};
use kernel::{Error, Secret};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{super::visitor, JourneyEnded, asking};
use crate::{Identity, links::Ended};

/// What ends a journey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompleteLink {
    /// `link_code` of the page's fragment.
    #[schema(value_type = String)]
    code: Secret,
    /// `proof` of the journey's beginning.
    #[schema(value_type = String)]
    proof: Secret,
}

/// Ends a journey to an outside provider that led back to a page: with a session, or with a linked account where the caller
/// began it with a token.
#[utoipa::path(
    post,
    path = "/auth/link/{provider}/complete",
    operation_id = "complete_link",
    security((), ("bearer" = [])),
    params(("provider" = String, Path, description = "`link_provider` of the page's fragment.")),
    request_body = CompleteLink,
    responses(
        (status = 200, body = JourneyEnded),
        (status = 400, body = edge::Envelope, description = "`link_refused`."),
        (status = 401, body = edge::Envelope,
            description = "`no_token`, `credentials_invalid` or `second_factor_required`."),
        (status = 403, body = edge::Envelope, description = "`registration_closed`, `email_unverified`."),
        (status = 409, body = edge::Envelope, description = "`already_linked`, `email_taken`."),
        (status = 502, body = edge::Envelope, description = "`provider_unavailable`."),
    )
)]
pub(super) async fn complete(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    MaybeCaller(caller): MaybeCaller,
    Path(provider): Path<String>,
    info: RequestInfo,
    Json(CompleteLink { code, proof }): Json<CompleteLink>,
) -> edge::Result {
    let caller = asking(caller)?;
    let shown = (&code, &proof);
    match identity.complete_journey(&site.tenant, &visitor(info), &provider, shown, caller.as_ref()).await? {
        Ended::Entered(entered) => Ok(Answer::with_status(200, JourneyEnded::entered(*entered))),
        Ended::Linked(link) => Ok(Answer::with_status(200, JourneyEnded::linked(link))),
        Ended::AtPage(_) => Err(Error::internal("a journey came to its page twice").into()),
    }
}
