//! Passwords that nobody thought of.

use kernel::Secret;
use rand::seq::IndexedRandom;

/// Letters and digits that cannot be taken for one another.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LENGTH: usize = 20;

/// A random password of some 115 bits that can be read aloud.
pub fn generated_password() -> Secret {
    let mut random = rand::rng();
    let text: String = (0..LENGTH).filter_map(|_| ALPHABET.choose(&mut random)).map(|byte| char::from(*byte)).collect();
    Secret::new(text)
}
