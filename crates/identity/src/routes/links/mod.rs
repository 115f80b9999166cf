//! `/auth/link/…` and `/auth/exchange/…`.

mod begin;
mod browser;
mod callback;
mod complete;
mod cookie;
mod exchange;
mod list;
mod unlink;

use std::sync::Arc;

use kernel::{Authenticated, Credential, Error, KeyKind, Reason};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::SessionBegun;
use crate::{Identity, entry::Entered, links::NewLink};

/// The routes of this part.
pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(begin::begin, unlink::unlink))
        .routes(routes!(callback::callback))
        .routes(routes!(complete::complete))
        .routes(routes!(exchange::exchange))
}

/// What a journey ended with.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum JourneyEnded {
    /// It was a log in.
    Entered(Box<SessionBegun>),
    /// An account was linked.
    Linked(AccountLinked),
}

/// An outside account was linked to the caller.
#[derive(Serialize, ToSchema)]
struct AccountLinked {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The provider's name.
    #[schema(example = "google")]
    provider: String,
    /// The e-mail address that the provider told.
    #[schema(example = "jane@example.com")]
    email: Option<String>,
    /// The name for people that the provider told.
    #[schema(example = "Jane Doe")]
    name: Option<String>,
}

impl JourneyEnded {
    fn entered(entered: Entered) -> Self {
        Self::Entered(Box::new(SessionBegun::new(entered)))
    }

    fn linked(link: NewLink) -> Self {
        let NewLink { provider, email, name } = link;
        Self::Linked(AccountLinked { success: true, provider, email, name })
    }
}

/// Who is asking, on routes that are open to strangers. A publishable key names the tenant and nobody.
fn asking(caller: Result<Authenticated, Error>) -> Result<Option<Authenticated>, Error> {
    match caller {
        Ok(caller) => {
            let nobody =
                matches!(&caller.principal.credential, Credential::Key(key) if key.kind == KeyKind::Publishable);
            Ok(Some(caller).filter(|_| !nobody))
        }
        Err(error) if error.reason == Reason::NoToken => Ok(None),
        Err(error) => Err(error),
    }
}
