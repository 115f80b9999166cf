//! Host to tenant.

use http::{
    HeaderMap, Uri, Version,
    header::{HOST, HeaderValue},
};
use kernel::{Error, HostTenant, Reason, Result, TenantDirectory};

use crate::host::{Host, Room};

/// Where a request's host leads.
#[derive(Debug)]
pub(crate) enum Place {
    /// A room of a tenant.
    Tenant(HostTenant, Room),
    /// A name that no tenant has.
    Nobody,
    /// There is no tenant at all yet.
    NotInitialised,
}

/// The authority of a request: the target's own, else the `Host` header's. HTTP/1.0 may leave it out.
pub(crate) fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap, version: Version) -> Result<Option<&'a str>> {
    let mut hosts = headers.get_all(HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(Error::new(Reason::BadRequest, "The request has more than one Host header"));
    }
    if header.is_none() && version >= Version::HTTP_11 {
        return Err(Error::new(Reason::BadRequest, "The request has no Host header"));
    }
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.as_str()));
    }
    header.map(HeaderValue::to_str).transpose().map_err(|_| malformed())
}

fn malformed() -> Error {
    Error::new(Reason::BadRequest, "The host name of the request is malformed")
}

/// Finds the tenant of an authority; a request without one came by address.
pub(crate) async fn resolve(directory: &dyn TenantDirectory, authority: Option<&str>) -> Result<Place> {
    let host = authority.map_or(Some(Host::Direct), Host::parse).ok_or_else(malformed)?;
    let mut direct = host == Host::Direct;
    if let Host::Room { room, domain, loopback } = host {
        if let Some(tenant) = directory.by_domain(&domain).await? {
            return Ok(Place::Tenant(HostTenant { tenant, explicit: true }, room));
        }
        direct = loopback;
    }
    Ok(match directory.first().await? {
        None => Place::NotInitialised,
        Some(tenant) if direct => Place::Tenant(HostTenant { tenant, explicit: false }, Room::Api),
        Some(_) => Place::Nobody,
    })
}
