//! Sends letters.

use std::path::{Path, PathBuf};

use kernel::{Error, Reason, Result};

use crate::{Address, Letter, MailConfig, SendError, outbox::Outbox, relay::Relay};

/// What sends letters: one for the whole installation, shared.
#[derive(Debug)]
pub struct Mailer {
    from: Address,
    reply_to: Option<Address>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Relay(Relay),
    Outbox(Outbox),
}

/// Where a letter is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The mail server has taken it.
    Relayed,
    /// It is in this file.
    Filed(PathBuf),
}

impl Mailer {
    /// Checks the configuration and makes the mailer; nothing is connected or written yet. Reads `ca_file`.
    ///
    /// Errors: `field_invalid` with the key, as `mail.from`.
    pub fn new(config: &MailConfig, default_folder: &Path) -> Result<Self> {
        let invalid = |key: &str, problem: String| Error::new(Reason::FieldInvalid, problem).at(format!("mail.{key}"));
        let address = |key: &str, text: &str| {
            let problem = || format!("{text:?} is not an e-mail address; write \"Shop <no-reply@shop.example>\"");
            text.parse::<Address>().map_err(|_| invalid(key, problem()))
        };
        if config.timeout.0.is_zero() {
            return Err(invalid("timeout", "A letter needs some time".to_owned()));
        }
        let way = match &config.smtp_url {
            Some(url) => Way::Relay(
                Relay::new(url, config.ca_file.as_deref(), config.timeout)
                    .map_err(|(key, problem)| invalid(key, problem))?,
            ),
            None => Way::Outbox(Outbox(config.folder.clone().unwrap_or_else(|| default_folder.to_owned()))),
        };
        Ok(Self {
            from: address("from", &config.from)?,
            reply_to: config.reply_to.as_deref().map(|text| address("reply_to", text)).transpose()?,
            way,
        })
    }

    /// Hands a letter to the mail server, or writes it into the folder and logs where.
    pub async fn send(&self, letter: Letter) -> Result<Delivered, SendError> {
        let message = letter.message(&self.from, self.reply_to.as_ref()).map_err(SendError::Unwritable)?;
        match &self.way {
            Way::Relay(relay) => {
                relay.deliver(message.envelope(), &message.formatted()).await?;
                Ok(Delivered::Relayed)
            }
            Way::Outbox(outbox) => {
                let path = outbox.put(message.formatted()).await?;
                tracing::info!(path = %path.display(), "no mail server is set: a letter was written to a file");
                Ok(Delivered::Filed(path))
            }
        }
    }
}
