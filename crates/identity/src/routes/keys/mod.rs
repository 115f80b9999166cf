//! `/auth/keys…`.

mod change;
mod create;
mod list;
mod myself;
mod revoke;
mod rotate;
mod show;

use std::sync::Arc;

use kernel::{Credential, Error, KeyKind, Principal, Reason, Span, ability, time};
use serde::{Deserialize, Deserializer, Serialize};
use store::OpenTenant;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Identity,
    keys::{Key, Lifetime, MadeKey},
    tables::api_keys::{Found, no_key},
};

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
        .routes(routes!(list::list_keys, create::create_key))
        .routes(routes!(myself::show_own_key))
        .routes(routes!(show::show_key, change::change_key, revoke::revoke_key))
        .routes(routes!(rotate::rotate_key))
}

/// The kinds of API keys.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Publishable: for web pages; acts as the group `anonymous` and may at most read and write data.
    Pk,
    /// For a server: acts as a group.
    Sk,
    /// Personal: acts as its user.
    Pat,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Pk => Self::Publishable,
            Kind::Sk => Self::Server,
            Kind::Pat => Self::Personal,
        }
    }
}

/// An API key: everything but the key itself.
#[derive(Serialize, ToSchema)]
struct ApiKey {
    /// The id.
    id: String,
    /// `pk`, `sk` or `pat`.
    #[schema(example = "sk")]
    kind: &'static str,
    /// What its maker calls it.
    #[schema(example = "Continuous integration")]
    name: String,
    /// `live`, `expired`, `revoked`, or `rotation_due` for a key of another back end that may not be used.
    #[schema(example = "live")]
    state: &'static str,
    /// How its text begins.
    #[schema(example = "ins_sk_02VmcYkO")]
    prefix: String,
    /// How its text ends.
    #[schema(example = "x9Yz")]
    last_four: String,
    /// The number of the user who made it.
    #[schema(example = 1)]
    user_id: i64,
    /// The name of that user.
    #[schema(example = "admin")]
    username: String,
    /// The group that it acts as; none for a personal key.
    #[schema(example = "users")]
    group: Option<String>,
    /// The names of the abilities that it may use.
    #[schema(example = json!(["data.read"]))]
    scopes: Vec<String>,
    /// Networks from which it may be used; from anywhere where there are none.
    #[schema(example = json!(["192.0.2.0/24"]))]
    addresses: Vec<String>,
    /// Origins of the web pages that may use it; all where there are none.
    #[schema(example = json!(["https://example.com"]))]
    origins: Vec<String>,
    /// The rate class that limits it.
    rate_class: Option<String>,
    /// When it was made, RFC 3339 in UTC.
    created_at: String,
    /// When it ends by itself.
    expires_at: Option<String>,
    /// When it was last used, to the minute.
    last_used_at: Option<String>,
    /// When it was revoked.
    revoked_at: Option<String>,
    /// The id of the key that it took the place of.
    rotated_from: Option<String>,
    /// When another key took its place.
    rotated_at: Option<String>,
    /// Where it came from, for a key of another back end.
    imported_from: Option<String>,
}

impl ApiKey {
    fn new(key: Key) -> Self {
        let moment = |moment: Option<time::Timestamp>| moment.map(time::rfc3339);
        Self {
            state: key.state(time::now()).word(),
            id: key.id,
            kind: key.kind.word(),
            name: key.name,
            prefix: key.prefix,
            last_four: key.last_four,
            user_id: key.owner_number,
            username: key.owner_name,
            group: key.group,
            scopes: key.scopes,
            addresses: key.addresses.iter().map(ToString::to_string).collect(),
            origins: key.origins,
            rate_class: key.rate_class,
            created_at: time::rfc3339(key.created_at),
            expires_at: moment(key.expires_at),
            last_used_at: moment(key.last_used_at),
            revoked_at: moment(key.revoked_at),
            rotated_from: key.rotated_from,
            rotated_at: moment(key.rotated_at),
            imported_from: key.imported_from,
        }
    }
}

/// One key.
#[derive(Serialize, ToSchema)]
struct OneKey {
    /// The key.
    key: ApiKey,
}

impl OneKey {
    fn new(key: Key) -> Self {
        Self { key: ApiKey::new(key) }
    }
}

/// A key that was made a moment ago.
#[derive(Serialize, ToSchema)]
struct NewlyMade {
    /// The key's text, for `Authorization: Bearer`. It is shown now and never again.
    #[schema(example = "ins_sk_02VmcYkOWVwVCRiIMnHSTMhGrWvoZT0Wz_…")]
    secret: String,
    /// What is kept of it.
    key: ApiKey,
}

impl NewlyMade {
    fn new(made: MadeKey) -> Self {
        Self { secret: made.secret.expose().to_owned(), key: ApiKey::new(made.key) }
    }
}

/// What a field may say that can be null.
#[derive(Deserialize)]
#[serde(transparent)]
struct Nullable<T>(Option<T>);

/// Tells a field that is null from one that is not there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What `expires_in` asks for: null is never.
fn lifetime(Nullable(expires_in): Nullable<Span>) -> Lifetime {
    expires_in.map_or(Lifetime::Unending, Lifetime::For)
}

/// A key that the caller may see and revoke: an own one with `keys.manage`, any with `keys.admin`. Tells whether the
/// second was needed.
async fn reachable(
    identity: &Identity,
    open: &OpenTenant,
    principal: &Principal,
    id: &str,
) -> Result<(Found, bool), Error> {
    let manages = principal.require(ability::KEYS_MANAGE);
    if principal.require(ability::KEYS_ADMIN).is_err() {
        manages.as_ref().map_err(|error| Error::new(error.reason, error.message.clone()))?;
    }
    let found = identity.found_key(open, id).await?;
    if manages.is_ok() && identity.maker(open, principal).await?.owner == found.key.owner {
        return Ok((found, false));
    }
    if Identity::may_administer(principal, &found)? { Ok((found, true)) } else { Err(no_key()) }
}

/// The key that the caller came with.
fn own(principal: &Principal) -> Result<&kernel::ApiKey, Error> {
    match &principal.credential {
        Credential::Key(key) => Ok(key),
        Credential::Session(_) | Credential::Webhook(_) => {
            Err(Error::new(Reason::NotFound, "The request came with a session, not with a key"))
        }
    }
}
