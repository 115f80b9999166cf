//! What the walk knows of one request, for extractors on the way in and for log and metrics on the way out.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::extract::MatchedPath;
use http::{HeaderMap, header::ORIGIN, request::Parts};
use kernel::{Authenticated, Door, Error, HostTenant, Presented, Reason, RequestId};

use crate::{app::Core, token};

/// One request. Lies in the request's extensions as an `Arc`.
pub(crate) struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) id: RequestId,
    pub(crate) client: IpAddr,
    pub(crate) secure: bool,
    pub(crate) started: Instant,
    pub(crate) site: OnceLock<HostTenant>,
    pub(crate) route: OnceLock<MatchedPath>,
    authenticated: OnceLock<Result<Authenticated, Refused>>,
}

/// A refusal that can be repeated; what only the log needs was logged the first time.
struct Refused {
    reason: Reason,
    message: String,
    retry_after: Option<u64>,
}

impl Refused {
    fn of(error: &Error) -> Self {
        Self { reason: error.reason, message: error.message.clone(), retry_after: error.retry_after }
    }

    fn again(&self) -> Error {
        Error { retry_after: self.retry_after, ..Error::new(self.reason, self.message.clone()) }
    }
}

impl Context {
    pub(crate) fn begin(core: Arc<Core>, peer: IpAddr, headers: &HeaderMap) -> Self {
        Self {
            id: RequestId::now(),
            client: core.trust.client(peer, headers),
            secure: core.trust.secure(peer, headers),
            started: Instant::now(),
            site: OnceLock::new(),
            route: OnceLock::new(),
            authenticated: OnceLock::new(),
            core,
        }
    }

    /// The context of a request that came through the walk.
    pub(crate) fn of(parts: &Parts) -> Result<&Arc<Self>, Error> {
        parts.extensions.get().ok_or_else(|| Error::internal("a request reached a handler without the edge's walk"))
    }

    /// The tenant of the host; 503 before the installation is initialised.
    pub(crate) fn site(&self) -> Result<&HostTenant, Error> {
        let site = self.site.get().ok_or_else(|| Error::plain(Reason::NotInitialised))?;
        site.tenant.require_active()?;
        Ok(site)
    }

    /// Who is asking, if that is known already.
    pub(crate) fn caller(&self) -> Option<&Authenticated> {
        self.authenticated.get()?.as_ref().ok()
    }

    /// Finds out who is asking, at most once a request.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Authenticated, Error> {
        if let Some(known) = self.authenticated.get() {
            return known.as_ref().map_err(Refused::again).cloned();
        }
        let outcome = self.ask(headers).await;
        let _ = self.authenticated.set(outcome.as_ref().map_err(Refused::of).cloned());
        outcome
    }

    async fn ask(&self, headers: &HeaderMap) -> Result<Authenticated, Error> {
        let site = self.site.get().ok_or_else(|| Error::plain(Reason::NotInitialised))?;
        let token = token::of(headers)?;
        let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
        let presented = Presented { host: site, token, door: Door::Api, client: self.client, origin };
        let caller = self.core.authenticator.authenticate(presented).await.map_err(|error| match error.reason {
            Reason::SessionInvalid => Error { message: token::INVALID.to_owned(), ..error },
            _ => error,
        })?;
        if site.explicit && site.tenant.id != caller.tenant.id {
            return Err(Error::plain(Reason::TenantMismatch));
        }
        caller.tenant.require_active()?;
        Ok(caller)
    }
}
