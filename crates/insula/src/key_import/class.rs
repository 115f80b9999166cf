//! What the text in an old key's column is.

use std::fmt;

/// A class of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A key in the clear that nobody can guess.
    Raw,
    /// A key in the clear that is too short, or made of words.
    Weak,
    /// A hash, with or without salt.
    Hash,
    /// Something that was enciphered and can be deciphered by whoever has its key.
    Cipher,
    /// A secret of an outside service.
    ThirdParty(&'static str),
    /// A key of Insula's own.
    Own,
}

/// Bits that a key needs, so that nobody guesses it.
const BITS: f64 = 128.0;
/// Lengths of MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512 in hexadecimal.
const DIGESTS: [usize; 6] = [32, 40, 56, 64, 96, 128];

/// How secrets of outside services begin.
const THIRD_PARTIES: &[(&str, &str)] = &[
    ("-----BEGIN ", "private key"),
    ("sk_live_", "stripe"),
    ("sk_test_", "stripe"),
    ("rk_live_", "stripe"),
    ("rk_test_", "stripe"),
    ("pk_live_", "stripe"),
    ("pk_test_", "stripe"),
    ("whsec_", "stripe"),
    ("AKIA", "aws"),
    ("ASIA", "aws"),
    ("ghp_", "github"),
    ("gho_", "github"),
    ("ghu_", "github"),
    ("ghs_", "github"),
    ("ghr_", "github"),
    ("github_pat_", "github"),
    ("glpat-", "gitlab"),
    ("xoxb-", "slack"),
    ("xoxp-", "slack"),
    ("xoxa-", "slack"),
    ("xoxe.", "slack"),
    ("xapp-", "slack"),
    ("https://hooks.slack.com/", "slack"),
    ("AIza", "google"),
    ("ya29.", "google"),
    ("GOCSPX-", "google"),
    ("SG.", "sendgrid"),
    ("sk-ant-", "anthropic"),
    ("sk-", "openai"),
    ("npm_", "npm"),
    ("pypi-", "pypi"),
    ("hf_", "hugging face"),
    ("dop_v1_", "digitalocean"),
    ("shpat_", "shopify"),
    ("shpss_", "shopify"),
    ("EAAC", "facebook"),
    ("SK", "twilio"),
    ("AC", "twilio"),
    ("key-", "mailgun"),
    ("postgres://", "database"),
    ("postgresql://", "database"),
    ("mysql://", "database"),
    ("mongodb://", "database"),
    ("mongodb+srv://", "database"),
    ("redis://", "database"),
    ("amqp://", "database"),
];

/// How hashes of passwords and what was enciphered by well-known programs begin.
const HASHES: [&str; 15] = [
    "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$argon2", "$pbkdf2", "{SSHA", "pbkdf2_", "scrypt:", "bcrypt$",
    "md5$", "sha1$", "sha256$",
];
const CIPHERS: [&str; 6] = ["U2FsdGVkX1", "gAAAA", "vault:v", "ENC(", "enc:", "ENC["];

impl Class {
    /// The class of a text, trimmed and not empty.
    pub(crate) fn of(text: &str) -> Self {
        if text.starts_with("ins_") {
            return Self::Own;
        }
        if let Some(provider) = third_party(text) {
            return Self::ThirdParty(provider);
        }
        // A signed token tells when it ends and who made it: it is no key that could be kept.
        if HASHES.iter().any(|beginning| text.starts_with(beginning)) || is_digest(text) || is_jwt(text) {
            return Self::Hash;
        }
        if CIPHERS.iter().any(|beginning| text.starts_with(beginning)) || is_laravel(text) || has_iv(text) {
            return Self::Cipher;
        }
        if is_block_cipher(text) {
            return Self::Cipher;
        }
        Self::in_the_clear(text)
    }

    /// The class of a key that is known to be in the clear.
    pub(crate) fn in_the_clear(text: &str) -> Self {
        if bits(text) >= BITS { Self::Raw } else { Self::Weak }
    }

    /// The class of a secret that is known to be of an outside service.
    pub(crate) fn outside(text: &str) -> Self {
        Self::ThirdParty(third_party(text).unwrap_or("unknown"))
    }

    /// The word for it in reports.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Weak => "weak",
            Self::Hash => "hash",
            Self::Cipher => "cipher",
            Self::ThirdParty(_) => "third_party",
            Self::Own => "own",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThirdParty(provider) => write!(f, "third_party ({provider})"),
            other => f.write_str(other.word()),
        }
    }
}

/// The service whose secret it is.
fn third_party(text: &str) -> Option<&'static str> {
    let (beginning, provider) = THIRD_PARTIES.iter().find(|(beginning, _)| text.starts_with(beginning))?;
    let rest = &text[beginning.len()..];
    let alphanumeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // Beginnings that other texts may have as well need the whole form.
    let whole = match *beginning {
        "AKIA" | "ASIA" => {
            rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        }
        "AIza" => rest.len() == 35,
        "EAAC" => rest.len() >= 60 && alphanumeric(rest),
        "SK" | "AC" | "key-" => rest.len() == 32 && is_hex(rest),
        "SG." => rest.len() >= 40 && rest.contains('.'),
        "sk-" => rest.len() >= 20,
        "npm_" | "hf_" => rest.len() >= 30 && alphanumeric(rest),
        _ => true,
    };
    whole.then_some(provider)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Hexadecimal of the length of a digest. A raw key may look the same, which the operator has to say.
fn is_digest(text: &str) -> bool {
    DIGESTS.contains(&text.len()) && is_hex(text)
}

/// Header, claims and signature.
fn is_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() >= 2
}

/// Base64 of a JSON object with the fields that Laravel writes.
fn is_laravel(text: &str) -> bool {
    let Some(bytes) = base64(text) else { return false };
    let object = kernel::json::object(&bytes);
    object.is_ok_and(|object| object.contains_key("iv") && object.contains_key("value"))
}

/// An initialisation vector of 12 or 16 bytes before the rest, told apart by a mark.
fn has_iv(text: &str) -> bool {
    [':', '.', '$', '|'].into_iter().any(|mark| {
        let Some((iv, rest)) = text.split_once(mark) else { return false };
        let iv = bytes_of(iv);
        let parts: Option<Vec<_>> = rest.split(mark).map(bytes_of).collect();
        matches!(iv, Some(12 | 16)) && parts.is_some_and(|parts| parts.iter().sum::<usize>() >= 16)
    })
}

/// How many bytes a text of hexadecimal or base64 stands for.
fn bytes_of(text: &str) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    if text.len().is_multiple_of(2) && is_hex(text) {
        return Some(text.len() / 2);
    }
    base64(text).map(|bytes| bytes.len())
}

/// Base64 of whole blocks of a cipher, of which the first would be the initialisation vector. A raw key may look the
/// same, which the operator has to say: to take what was enciphered for a key would make a key of it.
fn is_block_cipher(text: &str) -> bool {
    let marked = text.bytes().any(|byte| matches!(byte, b'+' | b'/' | b'='));
    marked && base64(text).is_some_and(|bytes| bytes.len() >= 32 && bytes.len().is_multiple_of(16))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::{
        Engine,
        alphabet::STANDARD,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, CONFIG).decode(text).ok()
}

/// Bits that a text can have at the most, by the characters that it uses; few where it has a pattern.
fn bits(text: &str) -> f64 {
    let has = |test: fn(u8) -> bool| text.bytes().any(test);
    let digits = has(|byte| byte.is_ascii_digit());
    let letters = has(|byte| byte.is_ascii_alphabetic());
    // Whatever is made by chance has both, and words have not.
    if !(digits && letters) || repeats(text) {
        return 0.0;
    }
    let body = after_prefix(text);
    let alphabet = if is_hex(body) {
        16.0
    } else {
        let has = |test: fn(u8) -> bool| body.bytes().any(test);
        let kinds = [
            (has(|byte| byte.is_ascii_digit()), 10.0),
            (has(|byte| byte.is_ascii_lowercase()), 26.0),
            (has(|byte| byte.is_ascii_uppercase()), 26.0),
            (has(|byte| !byte.is_ascii_alphanumeric()), 2.0),
        ];
        kinds.iter().filter(|(there, _)| *there).map(|(_, size)| size).sum::<f64>()
    };
    let counted = body.bytes().filter(u8::is_ascii_graphic).count() as f64;
    // A UUID says with fixed digits that it is one, and has marks that say nothing.
    if body.len() == 36 && uuid::Uuid::parse_str(body).is_ok() {
        return 122.0;
    }
    let spread = body.bytes().collect::<std::collections::HashSet<_>>().len();
    if (spread as f64) < (counted / 4.0).min(10.0) { 0.0 } else { counted * f64::max(alphabet, 1.0).log2() }
}

/// What is behind a beginning that all keys of a program have, such as `acme_live_`.
fn after_prefix(text: &str) -> &str {
    match text.rfind(['_', '-', '.']) {
        Some(mark) if text.len() - mark > 20 && text[..mark].len() <= 20 => &text[mark + 1..],
        _ => text,
    }
}

/// Whether a text is a shorter one over and over.
fn repeats(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=bytes.len() / 2).any(|period| bytes[period..] == bytes[..bytes.len() - period])
}

#[cfg(test)]
#[path = "class_tests.rs"]
mod tests;
