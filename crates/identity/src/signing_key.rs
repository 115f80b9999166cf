//! Key pairs: how they are made, written down and shown to others.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    error::Unspecified,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use kernel::{Error, Result};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{TokenAlgorithm, tables::keys::KeyRow};

/// A new pair: the public half as it is stored, the private one as PKCS#8.
pub(crate) struct Pair {
    pub(crate) public: String,
    pub(crate) private: Vec<u8>,
}

impl Pair {
    pub(crate) fn generate(algorithm: TokenAlgorithm) -> Result<Self> {
        let made = match algorithm {
            TokenAlgorithm::EdDsa => ed25519(),
            TokenAlgorithm::Es256 => p256(),
        };
        made.map_err(|Unspecified| Error::internal("a key pair could not be made"))
    }
}

fn ed25519() -> Result<Pair, Unspecified> {
    let pair = Ed25519KeyPair::generate()?;
    let private: Pkcs8V1Der<'_> = pair.as_der()?;
    Ok(Pair { public: BASE64.encode(pair.public_key().as_ref()), private: private.as_ref().to_vec() })
}

fn p256() -> Result<Pair, Unspecified> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let private = pair.to_pkcs8v1()?.as_ref().to_vec();
    Ok(Pair { public: BASE64.encode(pair.public_key().as_ref()), private })
}

/// How a signing library calls the algorithm.
pub(crate) const fn jwt_algorithm(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
        TokenAlgorithm::Es256 => Algorithm::ES256,
    }
}

/// The private half, ready to sign.
pub(crate) fn signing(algorithm: TokenAlgorithm, private: &[u8]) -> EncodingKey {
    match algorithm {
        TokenAlgorithm::EdDsa => EncodingKey::from_ed_der(private),
        TokenAlgorithm::Es256 => EncodingKey::from_ec_der(private),
    }
}

/// A public half that tokens may still be signed with the other of.
pub(crate) struct PublicKey {
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) verifying: DecodingKey,
    pub(crate) jwk: Jwk,
}

impl PublicKey {
    pub(crate) fn new(row: &KeyRow) -> Result<Self> {
        let jwk = Jwk::new(row)?;
        let verifying = match &jwk.y {
            None => DecodingKey::from_ed_components(&jwk.x),
            Some(y) => DecodingKey::from_ec_components(&jwk.x, y),
        };
        Ok(Self {
            kid: row.kid.clone(),
            algorithm: jwt_algorithm(row.algorithm),
            verifying: verifying.map_err(Error::internal)?,
            jwk,
        })
    }
}

/// A public key as RFC 7517 and RFC 8037 write it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Jwk {
    /// `OKP` or `EC`.
    #[schema(example = "OKP")]
    kty: &'static str,
    /// `Ed25519` or `P-256`.
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// The key's id, as in the header of its tokens.
    kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    purpose: &'static str,
    /// `EdDSA` or `ES256`.
    #[schema(example = "EdDSA")]
    alg: &'static str,
    /// The key, or the point's first coordinate, base64 for URLs.
    x: String,
    /// The point's second coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Jwk {
    fn new(row: &KeyRow) -> Result<Self> {
        let (kty, crv, x, y) = match row.algorithm {
            TokenAlgorithm::EdDsa => ("OKP", "Ed25519", row.public.clone(), None),
            TokenAlgorithm::Es256 => {
                let (x, y) = coordinates(&row.public).ok_or_else(|| Error::internal("a public key is no point"))?;
                ("EC", "P-256", x, Some(y))
            }
        };
        Ok(Self { kty, crv, kid: row.kid.clone(), purpose: "sig", alg: row.algorithm.word(), x, y })
    }
}

/// The coordinates of an uncompressed point.
fn coordinates(public: &str) -> Option<(String, String)> {
    let bytes = BASE64.decode(public).ok()?;
    let [4, point @ ..] = &*bytes else { return None };
    let (x, y) = point.split_at_checked(32).filter(|(_, y)| y.len() == 32)?;
    Some((BASE64.encode(x), BASE64.encode(y)))
}
