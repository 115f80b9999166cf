//! The part of the configuration that is about mail.

use std::path::PathBuf;

use kernel::{Secret, Span};
use serde::{Deserialize, Serialize};

/// How letters leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// The mail server: `smtps://user:password@host`, or `smtp://user:password@host?tls=` with `required` (STARTTLS,
    /// the default), `opportunistic` or `none` (the default on loopback). Letters go to `folder` where it is absent.
    pub smtp_url: Option<Secret>,
    /// A file with certificates (PEM) of authorities that are trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Whom letters come from: `Shop <no-reply@shop.example>`.
    pub from: String,
    /// Whom answers go to, where it is not the sender.
    pub reply_to: Option<String>,
    /// Longest time that the delivery of one letter may take.
    pub timeout: Span,
    /// The folder for letters without a mail server; `outbox` in the tenant's folder where absent.
    pub folder: Option<PathBuf>,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            smtp_url: None,
            ca_file: None,
            from: "Insula <no-reply@localhost>".to_owned(),
            reply_to: None,
            timeout: Span::seconds(10),
            folder: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MailConfig;

    #[test]
    fn an_empty_file_gives_the_defaults_and_a_password_is_not_shown() {
        let config: MailConfig = toml::from_str("").unwrap();
        assert_eq!(config, MailConfig::default());
        let config: MailConfig = toml::from_str("smtp_url = 'smtps://shop:hush@mx.example'").unwrap();
        assert!(!toml::to_string(&config).unwrap().contains("hush"));
        assert!(!format!("{config:?}").contains("hush"));
        assert!(toml::from_str::<MailConfig>("smtp = 'x'").is_err());
    }
}
