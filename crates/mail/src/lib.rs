//! How Insula sends letters: by a mail server, or into a folder where there is none.
//!
//! This crate knows nothing of users and databases. Whoever has something to say renders a [`Template`], puts an
//! [`Address`] on it and hands the [`Letter`] to the [`Mailer`]; when to try again is the sender's matter
//! ([`SendError::is_permanent`]).
//!
//! # Templates
//!
//! A letter has a subject, a text and, if there is one, an HTML part, each from a file of its own:
//! `reset_password.subject`, `reset_password.txt`, `reset_password.html`. A tenant that wants other words puts a file
//! of that name into its folder `mail/`. A text of its own without an HTML part of its own makes a letter of text
//! alone, because the built-in HTML part would say something else. The language is Jinja's; only HTML is escaped. Line
//! breaks in a subject become spaces.
//!
//! What a template may use; a variable that is not there may be asked for (`{% if link %}`), but not printed:
//!
//! | Variable | Is | There in |
//! | --- | --- | --- |
//! | `site` | the tenant's name | all |
//! | `domain` | the tenant's domain | all |
//! | `username` | the user name of the addressee | all |
//! | `name` | how the addressee wants to be called, else the user name | all |
//! | `address` | the address to confirm, the account's address, or in `email_changed` the new one | all |
//! | `token` | what proves that the letter was read | letters that ask for something |
//! | `link` | the page that takes the token, where the tenant has one | letters that ask for something |
//! | `expires_in` | how long the token is good, as `2 hours` | letters that ask for something |
//! | `inviter` | the user name of who invites, where a user does | `invitation` |
//! | `change` | what changed, as `The second factor was turned off` | `second_factor_changed` |
//! | `when` | the moment of the change, as `2026-03-01 12:00 UTC` | the letters of changes |
//! | `client` | the network address the change came from, where it is known | the letters of changes |
//!
//! Letters that ask for something are `verify_email`, `change_email`, `reset_password` and `invitation`; letters of
//! changes are `password_changed`, `email_changed` and `second_factor_changed`; and there is `already_registered`. The
//! built-in letters to addresses that nobody has confirmed yet (`verify_email`, `change_email`, `invitation`) use no
//! `name`: it is free text, and strangers could have the server mail it to anybody.

mod address;
mod config;
mod letter;
mod mailer;
mod outbox;
mod relay;
mod render;
mod send_error;
mod template;

pub use address::{Address, AddressError};
pub use config::MailConfig;
pub use letter::Letter;
pub use mailer::{Delivered, Mailer};
pub use send_error::SendError;
pub use template::{Rendered, Template, TemplateError, check};
