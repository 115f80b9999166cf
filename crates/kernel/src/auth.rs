//! How the edge learns who is asking.

use std::{net::IpAddr, sync::Arc};

use crate::{Principal, Result, Soon, Tenant};

/// The tenant that a request's host name leads to.
#[derive(Debug, Clone)]
pub struct HostTenant {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// True where the host names the tenant; false on a loopback name or a direct address, where a credential of
    /// another tenant may decide.
    pub explicit: bool,
}

/// Where a credential came in. A credential made for one door opens no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `Authorization: Bearer` on `api.` hosts: session tokens and API keys.
    Api,
    /// The cookie on `assets.` hosts, for `GET` and `HEAD`.
    Assets,
    /// The query parameter `access_token` on `webhooks.` hosts.
    Webhooks,
}

/// A credential as it was presented.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The tenant of the host.
    pub host: &'a HostTenant,
    /// The token or key.
    pub token: &'a str,
    /// Where it came in.
    pub door: Door,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// The origin of the web page that sends it, where a browser names one.
    pub origin: Option<&'a str>,
}

/// A credential that proved good: whose it is and which tenant it belongs to.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The tenant that the credential names.
    pub tenant: Arc<Tenant>,
    /// Who the request acts as.
    pub principal: Arc<Principal>,
}

/// Turns a credential into a principal. The edge asks, identity answers.
pub trait Authenticator: Send + Sync {
    /// Checks a credential. Errors: 401 `session_invalid`, `key_invalid`, `key_expired`, `key_revoked`; 403
    /// `tenant_mismatch`, `tenant_suspended`, `address_not_allowed`, `origin_not_allowed`; 503.
    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> Soon<'a, Result<Authenticated>>;
}
