//! Identity's part of the configuration.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
};

use ipnet::IpNet;
use kernel::{ByteSize, Span};
use mail::{MailConfig, Mailer};
use serde::{Deserialize, Serialize};

use crate::CaptchaConfig;

/// Time that the delivery of a letter may take: whoever carries one has it for a minute.
const LONGEST_MAIL: Span = Span::seconds(30);

/// Who may come in, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Whether strangers may register: `open` or `closed`.
    pub registration: Registration,
    /// The group of whoever registers.
    pub default_group: String,
    /// Minutes without activity after which a session ends; a group may say otherwise.
    pub session_timeout_minutes: NonZeroU32,
    /// Whether every request moves the end of its session; if not, it ends so many minutes after its beginning.
    pub refresh_session_on_activity: bool,
    /// Sessions that a user may have at once, the oldest goes; a group may say otherwise.
    pub max_concurrent_sessions: NonZeroU32,
    /// Time after which a session ends however active it is, unless a refresh token renews it.
    pub session_max_lifetime: Span,
    /// Time after the last renewal for which a refresh token is good.
    pub refresh_lifetime: Span,
    /// How session tokens are signed: `EdDSA` or `ES256`.
    pub token_algorithm: TokenAlgorithm,
    /// Age at which a signing key gives way to a new one; its tokens stay good until they end.
    pub signing_key_lifetime: Span,
    /// Networks from which users may log in by PIN: addresses or CIDR blocks.
    pub whitelisted_pin_ips: Vec<IpNet>,
    /// Networks from which users may log in by card or badge: addresses or CIDR blocks.
    pub whitelisted_string_ips: Vec<IpNet>,
    /// Time between two writes of what is known of the sessions' activity.
    pub session_flush_interval: Span,
    /// Power from which a caller may end the sessions of others.
    pub min_clear_sessions_power: u8,
    /// Whether that reaches users of higher power than the caller.
    pub clear_sessions_any_power: bool,
    /// Memory that hashing one password takes.
    pub password_memory: ByteSize,
    /// Passes over that memory.
    pub password_passes: NonZeroU32,
    /// Passwords that are hashed at once; as many as there are cores where absent.
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
}

/// Whether users must confirm their e-mail address before they can log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmEmail {
    /// They need not.
    #[default]
    Off,
    /// Whoever has an address must.
    On,
}

/// The pages that links in letters lead to. `{token}` stands for the token, which the page sends on to the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PagesConfig {
    /// Where one sets another password; `https://<domain>/reset-password?token={token}` where absent.
    pub reset_url: Option<String>,
    /// Where one confirms an address; `https://<domain>/confirm-email?token={token}` where absent.
    pub verify_url: Option<String>,
    /// Where one who was invited sets a password; `https://<domain>/accept-invitation?token={token}` where absent.
    pub invitation_url: Option<String>,
}

impl PagesConfig {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let pages = [
            ("pages.reset_url", &self.reset_url),
            ("pages.verify_url", &self.verify_url),
            ("pages.invitation_url", &self.invitation_url),
        ];
        for (key, page) in pages {
            let Some(page) = page else { continue };
            let parsed = url::Url::parse(page);
            if !page.contains("{token}") || !parsed.is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
                return Err((key, "write a URL with {token} in it, such as https://example.com/confirm?token={token}"));
            }
        }
        Ok(())
    }
}

/// How session tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    /// Ed25519 (RFC 8037).
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518).
    #[serde(rename = "ES256")]
    Es256,
}

impl IdentityConfig {
    /// What the types alone cannot refuse: a key with what is wrong with it. `folder` is where relative files are.
    pub fn check(&self, _folder: Option<&Path>) -> Result<(), (String, String)> {
        if self.whitelisted_pin_ips.iter().chain(&self.whitelisted_string_ips).any(|net| net.prefix_len() == 0) {
            let mistake = "a network of all addresses is no list; name the networks of your desks";
            return Err(("whitelisted_pin_ips".to_owned(), mistake.to_owned()));
        }
        let owned = |(key, mistake): (&str, &str)| (key.to_owned(), mistake.to_owned());
        self.pages.check().map_err(owned)?;
        self.captcha.as_ref().map_or(Ok(()), CaptchaConfig::check).map_err(owned)?;
        if self.mail.timeout > LONGEST_MAIL {
            return Err(("mail.timeout".to_owned(), format!("a letter may take {LONGEST_MAIL} at the most")));
        }
        Mailer::new(&self.mail, Path::new("")).map_err(|error| (error.field.unwrap_or_default(), error.message))?;
        Ok(())
    }
}

/// Whether strangers may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
            password_memory: ByteSize(19 << 20),
            password_passes: count(2),
            hash_threads: None,
            hash_queue: 64,
            confirm_email: ConfirmEmail::Off,
            reset_lifetime: Span::seconds(60 * 60),
            verify_lifetime: Span::seconds(24 * 60 * 60),
            invitation_lifetime: Span::seconds(7 * 24 * 60 * 60),
            pages: PagesConfig::default(),
            mail: MailConfig::default(),
            captcha: None,
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
        for bad in ["max_sessions = 1", "session_timeout_minutes = 0", "registration = \"maybe\"", "hash_threads = 0"] {
            assert!(toml::from_str::<IdentityConfig>(bad).is_err(), "{bad}");
        }
    }
}
