//! Secrets at rest: the one way to write down what must be read back, and the one way to write down what must only be
//! recognised.
//!
//! A value is sealed with XChaCha20-Poly1305 under a data key, and bound to the place where it lies, so that a
//! sealed value copied to another row, column or tenant does not open. A data key is itself sealed ("wrapped") under
//! the installation's key. What is only recognised, such as a PIN, is kept as a keyed hash ([`SealingKey::mac`]).

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use ctutils::CtEq;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Error, Result};

/// What the header of a sealed value begins with: the algorithm, and before the value the id of its key.
pub const HEADER: &str = "sealed:xc1:";

/// The same of values that were sealed before headers named keys. They open, but none are made any more.
pub const OLD_HEADER: &str = "sealed:1:";

const NONCE_BYTES: usize = 24;
const ID_LABEL: &[u8] = b"insula key id 1";
const MAC_LABEL: &[u8] = b"insula mac 1";

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
pub struct SealingKey {
    bytes: [u8; 32],
    id: Box<str>,
}

impl SealingKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self::from_bytes(rand::random())
    }

    /// A key from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(ID_LABEL).chain_update(bytes).finalize();
        let id = digest[..6].iter().fold(String::with_capacity(12), |mut id, byte| {
            // Writing to text does not fail.
            let _ = write!(id, "{byte:02x}");
            id
        });
        Self { bytes, id: id.into() }
    }

    /// A key from the text form of [`Self::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        BASE64_STANDARD_NO_PAD.decode(text.trim()).ok()?.try_into().ok().map(Self::from_bytes)
    }

    /// The key as base64, for the file it is kept in.
    pub fn to_text(&self) -> String {
        BASE64_STANDARD_NO_PAD.encode(self.bytes)
    }

    /// What tells the key from others, in what it sealed and in messages: 12 hexadecimal digits. It is no secret and
    /// does not help to find the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a value for its place. The answer is text: a header with the algorithm and the key's id, then base64.
    pub fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<String> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: clear, aad: &place.associated_data() };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("a value could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(format!("{HEADER}{}:{}", self.id, BASE64_STANDARD_NO_PAD.encode(bytes)))
    }

    /// Opens a value. Fails for another key, another place, a changed or an unsealed value.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>> {
        let failed =
            || Error::internal(format!("{}.{} does not hold a value sealed for it", place.table, place.column));
        let (id, text) = taken_apart(sealed).ok_or_else(failed)?;
        if let Some(id) = id.filter(|id| *id != self.id()) {
            let Place { table, column, .. } = place;
            let own = self.id();
            return Err(Error::internal(format!("{table}.{column} is sealed under the key {id}, not under {own}")));
        }
        let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| failed())?;
        let (nonce, body) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(failed)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| failed())?;
        let payload = Payload { msg: body, aad: &place.associated_data() };
        self.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| failed())
    }

    /// Seals another key under this one.
    pub fn wrap(&self, place: Place<'_>, key: &Self) -> Result<String> {
        self.seal(place, &key.bytes)
    }

    /// Opens a key that [`Self::wrap`] sealed.
    pub fn unwrap_key(&self, place: Place<'_>, wrapped: &str) -> Result<Self> {
        let bytes = self.open(place, wrapped)?;
        bytes.try_into().map(Self::from_bytes).map_err(|_| Error::internal("a wrapped key has the wrong length"))
    }

    /// A keyed hash (HMAC-SHA-256) of what must be recognised and never read back. Each purpose, such as
    /// `users.pin`, hashes under a key of its own; parts are told apart by their lengths.
    pub fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let sub_key = hmac(&self.bytes, &[MAC_LABEL, purpose.as_bytes()]);
        hmac(&sub_key, parts)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({}, ***)", self.id)
    }
}

/// The id of the key that a value is sealed under. None where the value is not sealed, or its header has no id yet.
pub fn key_id(sealed: &str) -> Option<&str> {
    taken_apart(sealed)?.0
}

/// Whether a value bears the header of a sealed one.
pub fn is_sealed(value: &str) -> bool {
    taken_apart(value).is_some()
}

/// Compares two secrets, such as keyed hashes, in a time that does not tell where they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).to_bool()
}

/// The key's id, where the header has one, and the base64 of a sealed value.
fn taken_apart(sealed: &str) -> Option<(Option<&str>, &str)> {
    if let Some(text) = sealed.strip_prefix(OLD_HEADER) {
        return Some((None, text));
    }
    let (id, text) = sealed.strip_prefix(HEADER)?.split_once(':')?;
    Some((Some(id), text))
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block(key));
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A key as RFC 2104 pads it to the hash's block.
fn block(key: &[u8; 32]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..32].copy_from_slice(key);
    block
}

#[cfg(test)]
mod tests {
    use super::{Place, SealingKey, is_sealed, key_id, same};
    use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
    use proptest::prelude::*;
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
        assert!(key.open(PLACE, "secret").is_err());
        assert!(key.open(PLACE, &sealed[..40]).is_err());
    }

    #[test]
    fn the_header_names_algorithm_and_key() {
        let key = SealingKey::from_bytes([7; 32]);
        assert_eq!(key.id(), "1859a5f9a168");
        let sealed = key.seal(PLACE, b"secret").unwrap();
        assert!(sealed.starts_with(&format!("sealed:xc1:{}:", key.id())), "{sealed}");
        assert_eq!((key_id(&sealed), is_sealed(&sealed)), (Some(key.id()), true));
        let other = SealingKey::generate();
        let told = other.open(PLACE, &sealed).unwrap_err().to_string();
        assert!(told.contains(key.id()) && told.contains(other.id()), "{told}");
        let renamed = sealed.replace(key.id(), other.id());
        assert!(other.open(PLACE, &renamed).is_err() && key.open(PLACE, &renamed).is_err());
    }

    #[test]
    fn a_value_with_the_old_header_opens() {
        const OLD: &str = "sealed:1:ksMQVLkIPH1siSHtTPYd0yJhzAo4x6P6lzsF+ulVgfwagAUQRyQEvEOzVJJckg";
        assert_eq!(SealingKey::from_bytes([7; 32]).open(PLACE, OLD).unwrap(), b"secret");
        assert_eq!((key_id(OLD), is_sealed(OLD)), (None, true));
        assert!(SealingKey::generate().open(PLACE, OLD).is_err());
        assert!(!is_sealed("sealed:2:abc") && !is_sealed("") && !is_sealed("secret"));
    }

    #[test]
    fn a_wrapped_key_is_the_same_key() {
        let (outer, inner) = (SealingKey::generate(), SealingKey::generate());
        let again = outer.unwrap_key(PLACE, &outer.wrap(PLACE, &inner).unwrap()).unwrap();
        assert_eq!(again.to_text(), inner.to_text());
        assert_eq!(SealingKey::from_text(&inner.to_text()).unwrap().to_text(), inner.to_text());
    }

    #[test]
    fn a_keyed_hash_depends_on_key_purpose_and_parts() {
        let key = SealingKey::from_bytes([7; 32]);
        let hash = key.mac("users.pin", &[b"1", b"2345"]);
        assert_eq!(hash, key.mac("users.pin", &[b"1", b"2345"]));
        let others = [
            SealingKey::from_bytes([8; 32]).mac("users.pin", &[b"1", b"2345"]),
            key.mac("users.card", &[b"1", b"2345"]),
            key.mac("users.pin", &[b"12", b"345"]),
            key.mac("users.pin", &[b"12345"]),
            key.mac("users.pin", &[b"1", b"2345", b""]),
        ];
        assert!(others.iter().all(|other| !same(&hash, other)));
        assert!(same(&hash, &key.mac("users.pin", &[b"1", b"2345"])) && !same(&hash, &hash[..31]));
        // Stored hashes must be recognised by later versions.
        assert_eq!(BASE64_STANDARD_NO_PAD.encode(hash), "ROKbFqU4+FxZLTidJYiUlgKYpuwoHbpMTOqZOFs4R8k");
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let key = SealingKey::generate();
        assert_eq!(format!("{key:?}"), format!("SealingKey({}, ***)", key.id()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(sealed:(1|xc1):)?.*") {
            let _ = (is_sealed(&text), key_id(&text));
            prop_assert!(SealingKey::from_bytes([7; 32]).open(PLACE, &text).is_err());
        }
    }
}
