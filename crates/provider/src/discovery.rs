//! What an issuer tells about itself (OpenID Connect Discovery, section 3).

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use crate::{
    ClientAuthentication,
    error::{Result, quoted, unavailable},
    settled::Reach,
};

/// Signatures that anybody can check and only the issuer can make.
const ASYMMETRIC: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The part of a discovery document that matters here.
#[derive(Debug)]
pub(crate) struct Discovery {
    pub(crate) authorize: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    pub(crate) userinfo: Option<Url>,
    /// Never empty, never symmetric.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) authentication: Option<ClientAuthentication>,
    /// Whether every answer at the redirect address names the issuer (RFC 9207).
    pub(crate) names_itself: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    id_token_signing_alg_values_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// Where the document of an issuer is.
pub(crate) fn address(issuer: &str) -> Result<Url> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&address).map_err(|_| unavailable("the issuer is no URL"))
}

impl Discovery {
    /// Reads the document of an issuer.
    pub(crate) fn read(document: Json, issuer: &str, reach: Reach) -> Result<Self> {
        let document: Document = serde_json::from_value(document)
            .map_err(|error| unavailable(format!("the discovery document: {}", quoted(&error.to_string()))))?;
        if document.issuer != issuer {
            let other = quoted(&document.issuer);
            return Err(unavailable(format!("the discovery document is that of {other}, not of {issuer}")));
        }
        let endpoints = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
        for url in endpoints.into_iter().chain(&document.userinfo_endpoint) {
            reach.check(url).map_err(|problem| unavailable(format!("the discovery document: {url} {problem}")))?;
        }
        let listed = document.id_token_signing_alg_values_supported;
        let known = ASYMMETRIC.into_iter().filter(|(name, _)| listed.iter().any(|listed| listed == name));
        let algorithms: Vec<Algorithm> = known.map(|(_, algorithm)| algorithm).collect();
        if algorithms.is_empty() {
            return Err(unavailable("the issuer signs with no algorithm that can be checked with a public key"));
        }
        let authentication = document.token_endpoint_auth_methods_supported.as_deref().and_then(authentication);
        Ok(Self {
            authorize: document.authorization_endpoint,
            token: document.token_endpoint,
            keys: document.jwks_uri,
            userinfo: document.userinfo_endpoint,
            algorithms,
            authentication,
            names_itself: document.authorization_response_iss_parameter_supported == Some(true),
        })
    }
}

fn authentication(listed: &[String]) -> Option<ClientAuthentication> {
    let knows = |name: &str| listed.iter().any(|listed| listed == name);
    if knows("client_secret_basic") {
        Some(ClientAuthentication::Basic)
    } else if knows("client_secret_post") {
        Some(ClientAuthentication::Body)
    } else {
        None
    }
}

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
