//! Identity's part of the configuration.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
};

use kernel::{
    ByteSize, Network, Span,
    bounds::outside,
    network,
    settings::{MOST_MINUTES, MOST_SESSIONS, SettingsAccess},
};
use mail::{MailConfig, Mailer};
use provider::ProviderConfig;
use serde::{Deserialize, Serialize};

use crate::{CaptchaConfig, PagesConfig, keys::RateClass, links, links::LinksConfig};

/// Time that the delivery of a letter may take: whoever carries one has it for a minute.
const LONGEST_MAIL: Span = Span::seconds(30);
const YEAR: Span = Span::days(366);
const CENTURY: Span = Span::days(36_600);

/// Who may come in, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Whether strangers may register: `open` or `closed`.
    pub registration: Registration,
    /// The group of whoever registers.
    pub default_group: String,
    /// Minutes without activity after which a session ends, at most a year; a group may say otherwise.
    pub session_timeout_minutes: NonZeroU32,
    /// Whether every request moves the end of its session; if not, it ends so many minutes after its beginning.
    pub refresh_session_on_activity: bool,
    /// Sessions that a user may have at once, at most 10,000, the oldest goes; a group may say otherwise.
    pub max_concurrent_sessions: NonZeroU32,
    /// Time after which a session ends however active it is, unless a refresh token renews it.
    pub session_max_lifetime: Span,
    /// Time after the last renewal for which a refresh token is good.
    pub refresh_lifetime: Span,
    /// How session tokens are signed: `EdDSA` or `ES256`.
    pub token_algorithm: TokenAlgorithm,
    /// Age at which a signing key gives way to a new one; its tokens stay good until they end.
    pub signing_key_lifetime: Span,
    /// Networks from which users may log in by PIN: addresses or CIDR blocks; from nowhere where there are none.
    pub whitelisted_pin_ips: Vec<Network>,
    /// Networks from which users may log in by card or badge: addresses or CIDR blocks; from nowhere where there are
    /// none.
    pub whitelisted_string_ips: Vec<Network>,
    /// Time between two writes of what is known of the sessions' activity.
    pub session_flush_interval: Span,
    /// Power from which a caller may end the sessions of others.
    pub min_clear_sessions_power: u8,
    /// Whether that reaches users of higher power than the caller.
    pub clear_sessions_any_power: bool,
    /// Whose preferences the users of a group may read and write that is made without saying so: `read-own-only`,
    /// `read-write-own` or `read-write-all`.
    pub default_user_settings_access: SettingsAccess,
    /// How new passwords are hashed: `argon2id` or `bcrypt`. Hashes of the other kind are renewed at the next log in.
    pub password_hash: PasswordHash,
    /// Memory that hashing one password with Argon2id takes, from 64KB to 4GB.
    pub password_memory: ByteSize,
    /// Passes over that memory.
    pub password_passes: NonZeroU32,
    /// What hashing one password with bcrypt costs, from 10 to 16; each step doubles it.
    pub bcrypt_cost: u32,
    /// Passwords that are hashed at once; one less than there are cores, but at least one, where absent.
    pub hash_threads: Option<NonZeroUsize>,
    /// Passwords that may wait to be hashed before requests are refused with 503.
    pub hash_queue: usize,
    /// Whether users must confirm their e-mail address before they can log in: `off` or `on`.
    pub confirm_email: ConfirmEmail,
    /// Time for which the link in a letter is good that lets one set another password.
    pub reset_lifetime: Span,
    /// Time for which the link in a letter is good that confirms an address.
    pub verify_lifetime: Span,
    /// Time for which the link in an invitation is good.
    pub invitation_lifetime: Span,
    /// The pages that links in letters lead to.
    pub pages: PagesConfig,
    /// How letters leave.
    pub mail: MailConfig,
    /// Captchas that strangers must solve; none where it is absent.
    pub captcha: Option<CaptchaConfig>,
    /// Time that a password may wait to be hashed; requests that would wait longer are refused with 503 at once.
    pub hash_wait: Span,
    /// Whether strangers may become users without a credential: `open` or `closed`.
    pub anonymous: Registration,
    /// Age at which users are removed who have no credential and no session left, so that nobody can come back to them.
    /// Rows that they own stay. They are kept where this is absent.
    pub anonymous_lifetime: Option<Span>,
    /// Whether API keys may be made that never end.
    pub allow_unending_keys: bool,
    /// How many requests an API key may send, by the name of its rate class: `{ per_second = 5, per_minute = 100 }`.
    pub key_rate_classes: BTreeMap<String, RateClass>,
    /// What outside accounts may do.
    pub links: LinksConfig,
    /// Providers of outside accounts, each in a table of its name. A name stands for one issuer for ever, because linked
    /// accounts are known by it.
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// Whether users must confirm their e-mail address before they can log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmEmail {
    /// They need not.
    #[default]
    Off,
    /// Whoever has an address must.
    On,
}

/// How passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasswordHash {
    /// Argon2id (RFC 9106).
    #[default]
    Argon2id,
    /// bcrypt, which knows the first 72 bytes of a password; longer ones are refused.
    Bcrypt,
}

/// How session tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum TokenAlgorithm {
    /// Ed25519 (RFC 8037).
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518).
    #[serde(rename = "ES256")]
    Es256,
}

impl TokenAlgorithm {
    /// The word for it, in the configuration, in the database and in tokens.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256].into_iter().find(|algorithm| algorithm.word() == word)
    }
}

impl IdentityConfig {
    /// The first of the [mistakes](Self::mistakes).
    pub fn check(&self) -> Result<(), (String, String)> {
        self.mistakes().into_iter().next().map_or(Ok(()), Err)
    }

    /// What the types alone cannot refuse: keys with what is wrong with them.
    pub fn mistakes(&self) -> Vec<(String, String)> {
        let mut mistakes = self.out_of_bounds();
        let mut add = |key: &str, mistake: &str| mistakes.push((key.to_owned(), mistake.to_owned()));
        let lists = [
            ("whitelisted_pin_ips", &self.whitelisted_pin_ips),
            ("whitelisted_string_ips", &self.whitelisted_string_ips),
        ];
        for (key, list) in lists {
            if let Err(mistake) = network::check_list(list) {
                add(key, &mistake);
            }
        }
        if self.signing_key_lifetime.0 < std::time::Duration::from_mins(1) {
            let mistake = "keys that live for less than a minute are made faster than others learn of them";
            add("signing_key_lifetime", mistake);
        }
        for name in self.key_rate_classes.keys().filter(|name| !(1..=32).contains(&name.chars().count())) {
            add("key_rate_classes", &format!("{name:?} has not 1 to 32 characters"));
        }
        for (key, mistake) in links::mistakes(self) {
            add(&key, &mistake);
        }
        let pages = self.pages.check().err();
        let captcha = self.captcha.as_ref().and_then(|captcha| captcha.check().err());
        for (key, mistake) in pages.into_iter().chain(captcha) {
            add(key, mistake);
        }
        if let Err(error) = Mailer::new(&self.mail, Path::new("")) {
            add(&error.field.unwrap_or_default(), &error.message);
        }
        mistakes
    }

    /// Numbers, sizes and times that say nothing sensible. A time of zero is allowed where it means at once.
    fn out_of_bounds(&self) -> Vec<(String, String)> {
        let (tick, second, none) = (Span(std::time::Duration::from_millis(100)), Span::seconds(1), Span::seconds(0));
        let anonymous = self.anonymous_lifetime.unwrap_or(none);
        let times = [
            ("session_max_lifetime", self.session_max_lifetime, second..=CENTURY),
            ("refresh_lifetime", self.refresh_lifetime, second..=CENTURY),
            ("session_flush_interval", self.session_flush_interval, tick..=YEAR),
            ("reset_lifetime", self.reset_lifetime, second..=YEAR),
            ("verify_lifetime", self.verify_lifetime, second..=YEAR),
            ("invitation_lifetime", self.invitation_lifetime, second..=YEAR),
            ("mail.timeout", self.mail.timeout, tick..=LONGEST_MAIL),
            ("hash_wait", self.hash_wait, none..=Span::days(1)),
            ("anonymous_lifetime", anonymous, none..=CENTURY),
        ];
        let threads = self.hash_threads.map_or(1, NonZeroUsize::get);
        let numbers = [
            ("session_timeout_minutes", self.session_timeout_minutes.get(), 1..=MOST_MINUTES),
            ("max_concurrent_sessions", self.max_concurrent_sessions.get(), 1..=MOST_SESSIONS),
            ("password_passes", self.password_passes.get(), 1..=1_000),
            ("bcrypt_cost", self.bcrypt_cost, 10..=16),
            ("hash_threads", u32::try_from(threads).unwrap_or(u32::MAX), 1..=1_024),
        ];
        let memory = outside("password_memory", &self.password_memory, &(ByteSize(64 << 10)..=ByteSize(4 << 30)));
        let times = times.into_iter().filter_map(|(key, time, allowed)| outside(key, &time, &allowed));
        let numbers = numbers.into_iter().filter_map(|(key, number, allowed)| outside(key, &number, &allowed));
        times.chain(numbers).chain(memory).collect()
    }
}

/// Whether strangers may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anyone may.
    #[default]
    Open,
    /// Users are made by the operator alone.
    Closed,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        let count = |number: u32| NonZeroU32::MIN.saturating_add(number - 1);
        Self {
            registration: Registration::Open,
            default_group: "users".to_owned(),
            session_timeout_minutes: count(60),
            refresh_session_on_activity: true,
            max_concurrent_sessions: count(10),
            session_max_lifetime: Span::seconds(30 * 24 * 60 * 60),
            refresh_lifetime: Span::seconds(30 * 24 * 60 * 60),
            token_algorithm: TokenAlgorithm::EdDsa,
            signing_key_lifetime: Span::seconds(90 * 24 * 60 * 60),
            whitelisted_pin_ips: Vec::new(),
            whitelisted_string_ips: Vec::new(),
            session_flush_interval: Span::seconds(30),
            min_clear_sessions_power: 70,
            clear_sessions_any_power: false,
            default_user_settings_access: SettingsAccess::ReadWriteOwn,
            password_hash: PasswordHash::Argon2id,
            password_memory: ByteSize(19 << 20),
            password_passes: count(2),
            bcrypt_cost: 12,
            hash_threads: None,
            hash_queue: 64,
            confirm_email: ConfirmEmail::Off,
            reset_lifetime: Span::seconds(60 * 60),
            verify_lifetime: Span::seconds(24 * 60 * 60),
            invitation_lifetime: Span::seconds(7 * 24 * 60 * 60),
            pages: PagesConfig::default(),
            mail: MailConfig::default(),
            captcha: None,
            hash_wait: Span::seconds(10),
            anonymous: Registration::Open,
            anonymous_lifetime: None,
            allow_unending_keys: false,
            key_rate_classes: BTreeMap::new(),
            links: LinksConfig::default(),
            providers: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IdentityConfig, Registration};

    #[test]
    fn an_empty_file_gives_the_defaults_and_what_is_written_reads_back() {
        let config: IdentityConfig = toml::from_str("").unwrap();
        assert_eq!(config, IdentityConfig::default());
        let again: IdentityConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
        let closed: IdentityConfig = toml::from_str("registration = \"closed\"").unwrap();
        assert_eq!(closed.registration, Registration::Closed);
    }

    #[test]
    fn unknown_keys_and_limits_of_zero_are_errors() {
        let bad = [
            "max_sessions = 1",
            "session_timeout_minutes = 0",
            "registration = \"maybe\"",
            "hash_threads = 0",
            "password_hash = \"md5\"",
            "whitelisted_pin_ips = [\"desk\"]",
        ];
        for bad in bad {
            assert!(toml::from_str::<IdentityConfig>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_types_allow_is_checked() {
        for bad in ["bcrypt_cost = 4", "whitelisted_pin_ips = [\"0.0.0.0/0\"]", "whitelisted_string_ips = [\"::/0\"]"] {
            let config: IdentityConfig = toml::from_str(bad).unwrap();
            assert_eq!(config.check().unwrap_err().0, bad.split(' ').next().unwrap());
        }
        let config: IdentityConfig = toml::from_str("whitelisted_pin_ips = [\"192.0.2.1\", \"10.0.0.0/8\"]").unwrap();
        assert!(config.check().is_ok());
    }
}
