//! What is known of the request or command that a task works on, for the log and for the audit log.
//!
//! It goes with the task, and is put into words only when something is written down.

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};

use uuid::Uuid;

use crate::{Authenticated, Credential, RequestId, Tenant};

tokio::task_local! {
    static CURRENT: Arc<LogContext>;
}

/// A request, or a command of the command line.
#[derive(Debug)]
pub struct LogContext {
    /// When it began.
    pub begun: Instant,
    /// Which of the two it is.
    pub origin: Origin,
    /// The tenant that the host leads to.
    place: OnceLock<Arc<Tenant>>,
    route: OnceLock<Box<str>>,
    endpoint: OnceLock<Box<str>>,
    caller: OnceLock<Authenticated>,
}

/// Where it comes from.
#[derive(Debug)]
pub enum Origin {
    /// A request.
    Request {
        /// The server's own id for it.
        id: RequestId,
        /// The id that the client gave it.
        client_request_id: Option<Box<str>>,
        /// The client's address, behind trusted proxies.
        client: IpAddr,
        /// The HTTP method.
        method: Cow<'static, str>,
    },
    /// A command.
    Command {
        /// Its words, such as `user set`.
        words: String,
        /// The number of the user of the operating system who runs it.
        system_user: u32,
    },
}

/// A value of a field.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// A text that may hold anything.
    Text(&'a str),
    /// A text of letters and digits.
    Word(&'a str),
    /// A number.
    Number(i64),
    /// An id.
    Id(Uuid),
    /// An address.
    Address(IpAddr),
}

impl LogContext {
    /// Of something that begins now.
    pub fn new(origin: Origin) -> Arc<Self> {
        let (place, route) = (OnceLock::new(), OnceLock::new());
        let (endpoint, caller) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { begun: Instant::now(), origin, place, route, endpoint, caller })
    }

    /// Does work of which this is known.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// Does work that awaits nothing.
    pub fn sync_scope<T>(self: Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// What is known of the work that this task does, if anything is.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Says which tenant the host leads to.
    pub fn set_place(&self, tenant: &Arc<Tenant>) {
        let _ = self.place.set(Arc::clone(tenant));
    }

    /// Says which route was matched, by its pattern.
    pub fn set_route(&self, pattern: &str) {
        let _ = self.route.set(pattern.into());
    }

    /// Says which endpoint of a toolkit was matched, as `toolkit/path` with the path's pattern.
    pub fn set_endpoint(&self, name: &str) {
        let _ = self.endpoint.set(name.into());
    }

    /// Says who is asking.
    pub fn set_caller(&self, caller: &Authenticated) {
        let _ = self.caller.set(caller.clone());
    }

    /// The pattern of the route, or the words of the command.
    pub fn route(&self) -> Option<&str> {
        match &self.origin {
            Origin::Request { .. } => self.route.get().map(|route| &**route),
            Origin::Command { words, .. } => Some(words),
        }
    }

    /// The endpoint of a toolkit that was matched, as `toolkit/path`.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.get().map(|endpoint| &**endpoint)
    }

    /// The tenant of the caller, else that of the host.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.caller.get().map(|caller| &*caller.tenant).or_else(|| self.place.get().map(|tenant| &**tenant))
    }

    /// Who is asking.
    pub fn caller(&self) -> Option<&Authenticated> {
        self.caller.get()
    }

    /// Tells what is known, field by field.
    pub fn fields(&self, tell: &mut dyn FnMut(&'static str, Shown<'_>)) {
        match &self.origin {
            Origin::Request { id, client_request_id, client, method } => {
                tell("request_id", Shown::Word(id.as_str()));
                if let Some(theirs) = client_request_id {
                    tell("client_request_id", Shown::Text(theirs));
                }
                tell("client", Shown::Address(*client));
                tell("method", Shown::Text(method));
            }
            Origin::Command { system_user, .. } => tell("system_user", Shown::Number((*system_user).into())),
        }
        if let Some(route) = self.route() {
            tell("route", Shown::Text(route));
        }
        if let Some(endpoint) = self.endpoint() {
            tell("endpoint", Shown::Text(endpoint));
        }
        if let Some(tenant) = self.tenant() {
            tell("tenant", Shown::Text(&tenant.name));
            tell("tenant_id", Shown::Id(tenant.id));
        }
        let Some(Authenticated { principal, .. }) = self.caller() else { return };
        tell("principal", Shown::Id(principal.id));
        if let Some(user) = principal.user() {
            tell("user", Shown::Number(user));
            tell("username", Shown::Text(&principal.username));
        }
        match &principal.credential {
            Credential::Session(session) => tell("session", Shown::Id(*session)),
            Credential::Key(key) => tell("key", Shown::Text(&key.id)),
            Credential::Webhook(token) => tell("key", Shown::Id(token.id)),
        }
    }
}
