//! How the edge learns who is asking.

use std::sync::Arc;

use crate::{BoxFuture, Principal, Result, Tenant};

/// The tenant that a request's host name leads to.
#[derive(Debug, Clone)]
pub struct HostTenant {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// True where the host names the tenant; false on a loopback name or a direct address, where a credential of
    /// another tenant may decide.
    pub explicit: bool,
}

/// A credential that proved good: whose it is and which tenant it belongs to.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The tenant that the credential names.
    pub tenant: Arc<Tenant>,
    /// Who the request acts as.
    pub principal: Arc<Principal>,
}

/// Turns a bearer token into a principal. The edge asks, identity answers.
pub trait Authenticator: Send + Sync {
    /// Checks a token. Errors: 401 `session_invalid`, 403 `tenant_mismatch` and `tenant_suspended`, 503.
    fn authenticate<'a>(&'a self, host: &'a HostTenant, token: &'a str) -> BoxFuture<'a, Result<Authenticated>>;
}
