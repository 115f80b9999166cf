//! The text of an API key: `ins_<kind>_<id><secret><checksum>`, with an underscore behind the id.
//!
//! The id begins with the tenant, so that a key finds its tenant without a look-up. The checksum tells a slip of the
//! hand, and a string that only looks like a key, without asking anybody.

use kernel::{KeyKind, Secret, TenantId};
use uuid::Uuid;

use crate::base62;

/// What every key begins with.
pub(crate) const PREFIX: &str = "ins_";

/// The tenant's 16 bytes and 8 random ones.
const ID: usize = 33;
/// 32 random bytes.
const SECRET: usize = 44;
/// CRC-32 of all before it.
const CHECKSUM: usize = 6;
/// Characters of the id that lists show.
const SHOWN: usize = 8;

const KINDS: [KeyKind; 3] = [KeyKind::Publishable, KeyKind::Server, KeyKind::Personal];

/// The kind of a word.
pub(crate) fn kind(word: &str) -> Option<KeyKind> {
    KINDS.into_iter().find(|kind| kind.word() == word)
}

/// A key taken apart. Nothing of it is believed yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    pub(crate) kind: KeyKind,
    pub(crate) id: &'a str,
    pub(crate) tenant: TenantId,
}

/// Takes a key apart. None where the form or the checksum is wrong.
pub(crate) fn parse(text: &str) -> Option<Parsed<'_>> {
    let (word, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let kind = kind(word)?;
    let (id, secret) = rest.split_once('_')?;
    let sound = id.len() == ID
        && secret.len() == SECRET + CHECKSUM
        && [id, secret].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if !sound {
        return None;
    }
    let (body, sum) = text.split_at(text.len() - CHECKSUM);
    if checksum(body) != sum {
        return None;
    }
    let [high, low, _] = base62::decode::<3>(id)?;
    let tenant = Uuid::from_u64_pair(u64::from_be_bytes(high), u64::from_be_bytes(low));
    Some(Parsed { kind, id, tenant })
}

/// The random part of an id.
pub(crate) fn number(id: &str) -> Option<u64> {
    let [_, _, number] = base62::decode::<3>(id)?;
    Some(u64::from_be_bytes(number))
}

fn checksum(body: &str) -> String {
    let number = u64::from(crc32fast::hash(body.as_bytes()));
    base62::encode(&[number.to_be_bytes()]).split_off(11 - CHECKSUM)
}

/// A new id for a key of a tenant.
pub(crate) fn new_id(tenant: TenantId) -> String {
    let (high, low) = tenant.as_u64_pair();
    base62::encode(&[high, low, rand::random()].map(u64::to_be_bytes))
}

/// What lists show of a key's beginning.
pub(crate) fn shown(kind: KeyKind, id: &str) -> String {
    let beginning: String = id.chars().take(SHOWN).collect();
    format!("{PREFIX}{}_{beginning}", kind.word())
}

/// The last four characters of a key.
pub(crate) fn last_four(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(4);
    text.chars().skip(skipped).collect()
}

/// The text of a new key with an id.
pub(crate) fn new_text(kind: KeyKind, id: &str) -> Secret {
    let mut text = format!("{PREFIX}{}_{id}_{}", kind.word(), base62::encode(&rand::random::<[[u8; 8]; 4]>()));
    text += &checksum(&text);
    Secret::new(text)
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
