//! `GET /auth/link`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, MaybeCaller, Site};
use kernel::time::rfc3339;
use provider::Kind;
use serde::Serialize;
use utoipa::ToSchema;

use super::asking;
use crate::{Identity, links::Overview, tables::linked_accounts::Linked};

/// Outside providers, and the caller's accounts there.
#[derive(Serialize, ToSchema)]
pub(super) struct Links {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// By name.
    providers: Vec<OutsideProvider>,
    /// The caller's accounts, the oldest link first; absent where nobody is logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<LinkedAccount>>,
}

/// An outside provider.
#[derive(Serialize, ToSchema)]
struct OutsideProvider {
    /// The name, as in the paths.
    #[schema(example = "google")]
    name: String,
    /// `oidc`, `oauth2` or `appwrite`.
    #[schema(example = "oidc")]
    kind: &'static str,
    /// Whether browsers can be sent there.
    logs_in: bool,
    /// Whether its tokens can be exchanged.
    exchanges: bool,
}

/// An account at an outside provider.
#[derive(Serialize, ToSchema)]
struct LinkedAccount {
    /// The provider's name.
    #[schema(example = "google")]
    provider: String,
    /// The account's id there.
    subject: String,
    /// The e-mail address that the provider told last.
    email: Option<String>,
    /// The name for people that the provider told last.
    name: Option<String>,
    /// When it was linked, RFC 3339 in UTC.
    linked_at: String,
    /// When the user last came in with it.
    last_used_at: Option<String>,
}

impl From<Linked> for LinkedAccount {
    fn from(linked: Linked) -> Self {
        let Linked { provider, subject, email, name, since, last_used_at } = linked;
        Self { provider, subject, email, name, linked_at: rfc3339(since), last_used_at: last_used_at.map(rfc3339) }
    }
}

/// The outside providers that there are, and the caller's accounts there.
#[utoipa::path(
    get,
    path = "/auth/link",
    operation_id = "list_links",
    security((), ("bearer" = [])),
    responses(
        (status = 200, body = Links),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`."),
    )
)]
pub(super) async fn list(
    State(identity): State<Arc<Identity>>,
    Site(site): Site,
    MaybeCaller(caller): MaybeCaller,
) -> edge::Result {
    let caller = asking(caller)?;
    let tenant = caller.as_ref().map_or(&site.tenant, |caller| &caller.tenant);
    let Overview { providers, accounts } = identity.link_overview(tenant, caller.as_ref()).await?;
    let provider = |(name, kind): (String, Kind)| OutsideProvider {
        name,
        kind: kind.word(),
        logs_in: matches!(kind, Kind::Oidc | Kind::OAuth2),
        exchanges: matches!(kind, Kind::Oidc | Kind::Appwrite),
    };
    let accounts = accounts.map(|accounts| accounts.into_iter().map(LinkedAccount::from).collect());
    let providers = providers.into_iter().map(provider).collect();
    Ok(Answer::with_status(200, Links { success: true, providers, accounts }))
}
