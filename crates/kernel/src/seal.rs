//! Secrets at rest: the one way to write down what must be read back.
//!
//! A value is sealed with XChaCha20-Poly1305 under a data key, and bound to the place where it lies, so that a
//! sealed value copied to another row, column or tenant does not open. A data key is itself sealed ("wrapped") under
//! the installation's key.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use uuid::Uuid;

use crate::{Error, Result};

const HEADER: &str = "sealed:1:";
const NONCE_BYTES: usize = 24;

/// The place a sealed value lies in; it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The tenant, or the nil id for the installation itself.
    pub tenant: Uuid,
    /// The table.
    pub table: &'a str,
    /// What tells the row from others, as text.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut bytes = self.tenant.as_bytes().to_vec();
        for part in [self.table, self.row, self.column] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// A key of 256 bits that seals and opens.
#[derive(Clone)]
pub struct SealingKey([u8; 32]);

impl SealingKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// A key from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key from the text form of [`Self::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        BASE64_STANDARD_NO_PAD.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    /// The key as base64, for the file it is kept in.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD_NO_PAD.encode(self.0)
    }

    /// Seals a value for its place. The answer is text: a header with algorithm and version, then base64.
    pub fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<String> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: clear, aad: &place.associated_data() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("a value could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(format!("{HEADER}{}", BASE64_STANDARD_NO_PAD.encode(bytes)))
    }

    /// Opens a value. Fails for another key, another place, a changed or an unsealed value.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>> {
        let failed =
            || Error::internal(format!("{}.{} does not hold a value sealed for it", place.table, place.column));
        let text = sealed.strip_prefix(HEADER).ok_or_else(failed)?;
        let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| failed())?;
        let (nonce, body) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(failed)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| failed())?;
        let payload = Payload { msg: body, aad: &place.associated_data() };
        self.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| failed())
    }

    /// Seals another key under this one.
    pub fn wrap(&self, place: Place<'_>, key: &Self) -> Result<String> {
        self.seal(place, &key.0)
    }

    /// Opens a key that [`Self::wrap`] sealed.
    pub fn unwrap_key(&self, place: Place<'_>, wrapped: &str) -> Result<Self> {
        let bytes = self.open(place, wrapped)?;
        bytes.try_into().map(Self).map_err(|_| Error::internal("a wrapped key has the wrong length"))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, SealingKey};
    use uuid::Uuid;

    const PLACE: Place<'static> = Place { tenant: Uuid::nil(), table: "_keys", row: "1", column: "private" };

    #[test]
    fn a_value_opens_in_its_place_and_nowhere_else() {
        let key = SealingKey::generate();
        let sealed = key.seal(PLACE, b"secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(key.open(PLACE, &sealed).unwrap(), b"secret");
        assert!(key.open(Place { row: "2", ..PLACE }, &sealed).is_err());
        assert!(key.open(Place { table: "_keys1", row: "", ..PLACE }, &sealed).is_err());
        assert!(key.open(Place { tenant: Uuid::from_u128(1), ..PLACE }, &sealed).is_err());
        assert!(SealingKey::generate().open(PLACE, &sealed).is_err());
        assert!(key.open(PLACE, "secret").is_err());
        assert!(key.open(PLACE, &sealed[..20]).is_err());
    }

    #[test]
    fn a_wrapped_key_is_the_same_key() {
        let (outer, inner) = (SealingKey::generate(), SealingKey::generate());
        let again = outer.unwrap_key(PLACE, &outer.wrap(PLACE, &inner).unwrap()).unwrap();
        assert_eq!(again.to_text(), inner.to_text());
        assert_eq!(SealingKey::from_text(&inner.to_text()).unwrap().to_text(), inner.to_text());
    }
}
