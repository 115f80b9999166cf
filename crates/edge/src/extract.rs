//! What handlers may ask for in their arguments.

use std::{net::IpAddr, sync::Arc};

use axum::extract::{FromRequestParts, rejection::PathRejection};
use http::{
    header::{ORIGIN, USER_AGENT},
    request::Parts,
};
use kernel::{Authenticated, Error, HostTenant, Principal, Reason, RequestId, Tenant, ability::Ability};
use serde::de::DeserializeOwned;

use crate::{Failure, context::Context, cors, host, resolve, token, untyped};

const MAX_USER_AGENT: usize = 256;

/// Who is asking, by the credential of the host's room: a bearer token on `api.` hosts, the cookie on `assets.` hosts for
/// `GET` and `HEAD` alone, the query parameter `access_token` on `webhooks.` hosts.
///
/// Refuses with 401 `no_token` or `session_invalid`, 403 `tenant_mismatch` or `tenant_suspended`.
#[derive(Debug, Clone)]
pub struct Caller(pub Authenticated);

impl Caller {
    /// The tenant that the credential belongs to.
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.0.tenant
    }

    /// Who the request acts as.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.0.principal
    }

    /// Refuses with 403 `ability_missing` or `scope_missing`; see [`Principal::require`].
    pub fn require(&self, ability: Ability) -> Result<(), Error> {
        self.0.principal.require(ability)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(Context::of(parts)?.authenticate(parts).await?))
    }
}

/// Who shows a bearer token, in a room that takes another credential. Refuses as [`Caller`] does.
#[derive(Debug, Clone)]
pub struct Bearer(pub Authenticated);

impl<S: Sync> FromRequestParts<S> for Bearer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(Context::of(parts)?.authenticate_bearer(&parts.headers).await?))
    }
}

/// A request that no page of a foreign origin sent: for actions that set a cookie or are done by one. Refuses with 403
/// `origin_not_allowed` unless the origin is the tenant's own, or one that the tenant lists.
#[derive(Debug, Clone, Copy)]
pub struct OwnOrigin;

impl<S: Sync> FromRequestParts<S> for OwnOrigin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let context = Context::of(parts)?;
        let tenant = &context.site()?.tenant;
        let mut origins = parts.headers.get_all(ORIGIN).iter();
        if origins.all(|origin| cors::is_own(tenant, origin, context.secure) || cors::is_listed(tenant, origin)) {
            return Ok(Self);
        }
        Err(Error::new(Reason::OriginNotAllowed, "Pages of this origin may not do this").into())
    }
}

/// Who is asking, or why that is refused, for routes that answer either way themselves.
#[derive(Debug)]
pub struct MaybeCaller(pub Result<Authenticated, Error>);

impl<S: Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self(Context::of(parts)?.authenticate(parts).await))
    }
}

/// The tenant of the request: an API key names it, or else the host does.
///
/// Refuses with 503 `not_initialised`, 403 `tenant_suspended`, and a key that is no good as [`Caller`] does.
#[derive(Debug, Clone)]
pub struct Site(pub HostTenant);

impl<S: Sync> FromRequestParts<S> for Site {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let context = Context::of(parts)?;
        if token::is_key(&parts.headers)? {
            let tenant = context.authenticate_bearer(&parts.headers).await?.tenant;
            return Ok(Self(HostTenant { tenant, explicit: true }));
        }
        Ok(Self(context.site()?.clone()))
    }
}

/// The host name that the request was sent to, in lower case, without port; for matching as text.
#[derive(Debug, Clone)]
pub struct HostName(pub String);

impl<S: Sync> FromRequestParts<S> for HostName {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let authority = resolve::authority(&parts.uri, &parts.headers, parts.version)?.unwrap_or_default();
        host::canonical(authority).map(Self).ok_or_else(|| Failure::from(Error::plain(Reason::BadRequest)))
    }
}

/// What is known of a request whoever sent it.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// The request's id.
    pub id: RequestId,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// Whether the client's scheme is https.
    pub secure: bool,
    /// What the client calls itself, at most 256 bytes of it.
    pub user_agent: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let context = Context::of(parts)?;
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = user_agent.map(|text| text[..text.len().min(MAX_USER_AGENT)].to_owned());
        Ok(Self { id: context.id, client: context.client, secure: context.secure, user_agent })
    }
}

/// Parameters of the path. Refuses with 400 `field_invalid`.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(_)) => {
                Err(Error::new(Reason::FieldInvalid, "A parameter in the path is malformed").at("path").into())
            }
            Err(other) => Err(Error::internal(other).into()),
        }
    }
}

/// Parameters of the query string. Refuses with 400 and the parameter that is wrong.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let read = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        let wrong = |error: serde_path_to_error::Error<serde_urlencoded::de::Error>| {
            untyped::refusal(error.path(), &error.inner().to_string(), "parameter").into()
        };
        read.map(Self).map_err(wrong)
    }
}
