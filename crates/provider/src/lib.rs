//! Accounts elsewhere: the client's side of OAuth 2.0 with PKCE (RFC 6749, 7636, 9207, 9700) and of OpenID Connect
//! (Core, Discovery), and the swapping of foreign tokens.
//!
//! It knows no users and no database. A [`Provider`] sends a browser away with [`Provider::begin`], turns what the
//! browser brings back into a [`Grant`] with [`Provider::finish`], and a foreign token into a [`Profile`] with
//! [`Provider::exchange`]. Signatures are checked with `jsonwebtoken`, so that one library of cryptography does it all.

mod appwrite;
mod config;
mod discovery;
mod error;
mod id_token;
mod issuer;
mod kept;
mod keys;
mod oauth;
mod outgoing;
mod preset;
mod profile;
mod provider;
mod settled;

pub use config::{ClientAuthentication, Kind, ProviderConfig};
pub use error::{Error, Result};
pub use preset::Preset;
pub use profile::Profile;
pub use provider::{Begun, Grant, Provider, Returned};
