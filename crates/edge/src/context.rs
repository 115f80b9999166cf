//! What the walk knows of one request, for extractors on the way in and for log and metrics on the way out.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::extract::MatchedPath;
use http::{HeaderMap, Method, header::ORIGIN, request::Parts};
use kernel::{Authenticated, Credential, Door, Error, HostTenant, Presented, Reason, RequestId};
use tracing::{Span, field::display};

use crate::{app::Core, host::Room, token};

/// One request. Lies in the request's extensions as an `Arc`.
pub(crate) struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) id: RequestId,
    pub(crate) client: IpAddr,
    pub(crate) secure: bool,
    pub(crate) started: Instant,
    /// Where the host leads.
    pub(crate) place: OnceLock<(HostTenant, Room)>,
    pub(crate) route: OnceLock<MatchedPath>,
    authenticated: OnceLock<(Door, Result<Authenticated, Refused>)>,
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
            place: OnceLock::new(),
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
        let (site, _) = self.place()?;
        site.tenant.require_active()?;
        Ok(site)
    }

    fn place(&self) -> Result<&(HostTenant, Room), Error> {
        self.place.get().ok_or_else(|| Error::plain(Reason::NotInitialised))
    }

    /// Finds out who is asking by the credential that the host's room takes, at most once a request.
    pub(crate) async fn authenticate(&self, parts: &Parts) -> Result<Authenticated, Error> {
        let (site, room) = self.place()?;
        let (token, door) = match room {
            Room::Api => (token::bearer(&parts.headers), Door::Api),
            Room::Assets if matches!(parts.method, Method::GET | Method::HEAD) => {
                (token::cookie(&parts.headers), Door::Assets)
            }
            Room::Assets => (Err(token::missing()), Door::Assets),
            Room::Webhooks => (token::parameter(parts.uri.query()), Door::Webhooks),
        };
        self.once(site, token, door, &parts.headers).await
    }

    /// Finds out who is asking by the bearer token, whatever the room.
    pub(crate) async fn authenticate_bearer(&self, headers: &HeaderMap) -> Result<Authenticated, Error> {
        let (site, _) = self.place()?;
        self.once(site, token::bearer(headers), Door::Api, headers).await
    }

    async fn once(
        &self,
        site: &HostTenant,
        token: Result<&str, Error>,
        door: Door,
        headers: &HeaderMap,
    ) -> Result<Authenticated, Error> {
        if let Some((_, known)) = self.authenticated.get().filter(|(known, _)| *known == door) {
            return known.as_ref().map_err(Refused::again).cloned();
        }
        let outcome = match token {
            Ok(token) => self.ask(site, token, door, headers).await,
            Err(error) => Err(error),
        };
        if let Ok(caller) = &outcome {
            self.record(caller);
        }
        let _ = self.authenticated.set((door, outcome.as_ref().map_err(Refused::of).cloned()));
        outcome
    }

    /// Tells the request's span who is asking.
    fn record(&self, caller: &Authenticated) {
        let (span, principal) = (Span::current(), &*caller.principal);
        let elsewhere = self.place.get().is_none_or(|(site, _)| site.tenant.id != caller.tenant.id);
        if elsewhere {
            let (tenant, tenant_id) = (&*caller.tenant.name, display(caller.tenant.id));
            tracing::record_all!(span, tenant = tenant, tenant_id = tenant_id);
        }
        let (session, key) = match &principal.credential {
            Credential::Session(session) => (Some(display(session)), None),
            Credential::Key(key) => (None, Some(key.id.clone())),
            Credential::Webhook(token) => (None, Some(token.id.to_string())),
        };
        let (id, user, username) =
            (display(principal.id), principal.user(), principal.user().map(|_| &*principal.username));
        tracing::record_all!(span, principal = id, user = user, username = username, session = session, key = key);
    }

    async fn ask(
        &self,
        site: &HostTenant,
        token: &str,
        door: Door,
        headers: &HeaderMap,
    ) -> Result<Authenticated, Error> {
        let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
        let presented = Presented { host: site, token, door, client: self.client, origin };
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
