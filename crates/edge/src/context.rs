//! What the walk knows of one request, for extractors on the way in and for log and metrics on the way out.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, HeaderName, Method, header::ORIGIN, request::Parts};
use kernel::{Authenticated, Door, Error, HostTenant, LogContext, Presented, Reason, RequestId, log_context::Origin};

use crate::{app::Core, host::Room, metric, token};

/// Answers carry the request's id in it; clients may send their own.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_CLIENT_REQUEST_ID: usize = 64;

/// One request. Lies in the request's extensions as an `Arc`.
pub(crate) struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) id: RequestId,
    pub(crate) client: IpAddr,
    pub(crate) secure: bool,
    /// What log and audit log may tell.
    pub(crate) log: Arc<LogContext>,
    /// Where the host leads.
    place: OnceLock<(HostTenant, Room)>,
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
    pub(crate) fn begin(core: Arc<Core>, peer: IpAddr, method: &Method, headers: &HeaderMap) -> Self {
        let id = RequestId::now();
        let client = core.trust.client(peer, headers);
        let theirs = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let client_request_id = theirs.map(|text| text[..text.len().min(MAX_CLIENT_REQUEST_ID)].into());
        let method = match metric::word(method) {
            metric::OTHER => method.as_str().to_owned().into(),
            word => word.into(),
        };
        Self {
            id,
            client,
            secure: core.trust.secure(peer, headers),
            log: LogContext::new(Origin::Request { id, client_request_id, client, method }),
            place: OnceLock::new(),
            authenticated: OnceLock::new(),
            core,
        }
    }

    /// Says where the host leads.
    pub(crate) fn enter(&self, site: &HostTenant, room: Room) {
        self.log.set_place(&site.tenant);
        let _ = self.place.set((site.clone(), room));
    }

    /// Where the host leads, if it is known.
    pub(crate) fn entered(&self) -> Option<&(HostTenant, Room)> {
        self.place.get()
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
            self.log.set_caller(caller);
        }
        let _ = self.authenticated.set((door, outcome.as_ref().map_err(Refused::of).cloned()));
        outcome
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
