//! Whether an id token is what it seems (OpenID Connect Core, sections 3.1.3.7 and 3.1.3.8).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use kernel::json::Foreign;
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::error::{Error, Result, quoted, refused};

/// Bytes that a token may have.
const MOST: usize = 16 << 10;
/// Seconds by which the issuer's clock may differ from ours.
const CLOCK_SKEW: f64 = 60.0;

/// What an id token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    /// The client ids that it may be for.
    pub(crate) audiences: &'a [&'a str],
    /// That of the authorization request, where there was one.
    pub(crate) nonce: Option<&'a str>,
    /// The access token that came with it.
    pub(crate) access_token: Option<&'a str>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    at_hash: Option<String>,
    /// Only tokens that are no id tokens have it: those of logout (Back-Channel Logout, section 2.4) and of security
    /// events.
    events: Option<Json>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Reads the header, of which nothing is believed yet, and refuses what no key can make good.
pub(crate) fn header(token: &str, algorithms: &[Algorithm]) -> Result<Header> {
    if token.len() > MOST {
        return refused("the id token is too long");
    }
    let header = jsonwebtoken::decode_header(token).map_err(|error| untrue(&error))?;
    if !algorithms.contains(&header.alg) {
        return refused(format!("the id token is signed with {:?}, which the issuer does not use", header.alg));
    }
    if header.crit.is_some() {
        return refused("the id token must be understood in a way that is not known");
    }
    if header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return refused("the token is of another type than an id token");
    }
    Ok(header)
}

/// The claims of a token that one of the keys has signed and that says what it must.
pub(crate) fn verify(token: &str, header: &Header, keys: &[DecodingKey], expected: &Expected<'_>) -> Result<Json> {
    let claims = signed(token, header.alg, keys)?;
    let facts: Claims = serde_json::from_value(claims.clone())
        .map_err(|error| Error::Refused(format!("the id token: {}", quoted(&error.to_string()))))?;
    facts.check(expected, header.alg, kernel::time::now().as_second() as f64)?;
    Ok(claims)
}

/// The claims, whatever they say. What they must say is checked in [`Claims::check`], all in one place.
fn signed(token: &str, algorithm: Algorithm, keys: &[DecodingKey]) -> Result<Json> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let mut last = None;
    for key in keys {
        match jsonwebtoken::decode::<Foreign>(token, key, &validation) {
            Ok(data) => return Ok(data.claims.0),
            Err(error) => last = Some(untrue(&error)),
        }
    }
    Err(last.unwrap_or_else(|| Error::Refused("the id token is signed with a key that is not the issuer's".into())))
}

impl Claims {
    fn check(&self, expected: &Expected<'_>, algorithm: Algorithm, now: f64) -> Result<()> {
        if self.iss != expected.issuer {
            return refused("the id token is of another issuer");
        }
        self.check_audience(expected.audiences)?;
        if self.exp + CLOCK_SKEW <= now {
            return refused("the id token has expired");
        }
        if self.iat > now + CLOCK_SKEW || self.nbf.is_some_and(|nbf| nbf > now + CLOCK_SKEW) {
            return refused("the id token is of the future");
        }
        if expected.nonce.is_some() && self.nonce.as_deref() != expected.nonce {
            return refused("the id token is of another log-in: its nonce differs");
        }
        if self.events.is_some() {
            return refused("the token is one of events, not an id token");
        }
        match (&self.at_hash, expected.access_token) {
            (Some(claimed), Some(token)) if *claimed != half_hash(algorithm, token) => {
                refused("the id token is of another access token")
            }
            _ => Ok(()),
        }
    }

    /// All of the audience must be known, and the party that it was made for with it.
    fn check_audience(&self, known: &[&str]) -> Result<()> {
        let audience = match &self.aud {
            Audience::One(one) => std::slice::from_ref(one),
            Audience::Many(many) => many,
        };
        let is_known = |id: &String| known.contains(&id.as_str());
        if audience.is_empty() || !audience.iter().all(is_known) {
            return refused("the id token is for another client");
        }
        match &self.azp {
            Some(azp) if !is_known(azp) => refused("the id token was made for another client"),
            None if audience.len() > 1 => refused("the id token does not say for which client it was made"),
            _ => Ok(()),
        }
    }
}

/// The left half of a token's hash, as `at_hash` has it.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => Sha256::digest(token).to_vec(),
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(token).to_vec(),
        _ => Sha512::digest(token).to_vec(),
    };
    BASE64_URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

fn untrue(error: &jsonwebtoken::errors::Error) -> Error {
    Error::Refused(format!("the id token: {}", quoted(&error.to_string())))
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
