//! The public keys of an issuer (RFC 7517).

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde_json::Value as Json;

use crate::error::{Result, unavailable};

/// Keys that a document may have.
const MOST: usize = 100;

/// The keys in a document; those of unknown kinds are passed over.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Jwk>);

impl Keys {
    pub(crate) fn read(mut document: Json) -> Result<Self> {
        let Some(Json::Array(keys)) = document.get_mut("keys").map(Json::take) else {
            return Err(unavailable("the document of keys has no list of keys"));
        };
        if keys.len() > MOST {
            return Err(unavailable("the document of keys has too many"));
        }
        Ok(Self(keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect()))
    }

    /// The keys with which a token of this header can have been signed; more than one only if none is named.
    pub(crate) fn fitting(&self, header: &Header) -> Vec<DecodingKey> {
        let is_named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
        let fitting = self.0.iter().filter(is_named).filter(|key| fits(key, header.alg));
        fitting.filter_map(|key| DecodingKey::from_jwk(key).ok()).collect()
    }
}

/// Whether a key is for signatures with an algorithm. A symmetric key in a public document is for nothing.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let of_kind = match (&key.algorithm, algorithm) {
        (
            AlgorithmParameters::RSA(_),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
        ) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let common = &key.common;
    of_kind
        && common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify))
        && common.key_algorithm.is_none_or(|own| own == KeyAlgorithm::from(algorithm))
}
