//! Identity: who is asking, for which tenant, and with what right.
//!
//! Users belong to one group, whose power and rules decide what they may do. A session is a row that can be revoked,
//! and a signed token that names it. [`Identity`] is the service that the binary wires; it answers the edge's question
//! who a token belongs to, and [`routes`] are its doors over HTTP.

mod accounts;
mod admin;
mod anonymous;
mod backoff;
mod base62;
mod bootstrap;
mod captcha;
mod config;
mod desk;
mod entry;
mod field;
mod fitness;
mod groups;
mod hash;
mod hash_pool;
mod identity;
mod keyring;
mod keys;
mod letters;
mod links;
mod login;
mod password;
mod place;
mod preferences;
mod refresh;
mod refresh_token;
mod routes;
mod second_factor;
mod sessions;
mod settings;
mod sign_out;
mod signing_key;
mod tables;
mod tokens;
mod user;
mod users;
mod webhook_tokens;
mod whereabouts;

pub use admin::{Actor, MovedIn, UserChange, UserFilter, UserSort, generated_password};
pub use captcha::{CaptchaAction, CaptchaConfig, CaptchaProvider};
pub use config::{ConfirmEmail, IdentityConfig, PasswordHash, Registration, TokenAlgorithm};
pub use field::Field;
pub use groups::{GroupChange, GroupRecord};
pub use identity::{Bootstrap, Identity};
pub use kernel::Network;
pub use keys::{
    Draft, ForeignKey, Import, ImportAs, Imported, ImportedSecret, Key, KeyChange, KeyState, Lifetime, MadeKey, NewKey,
    RateClass,
};
pub use letters::PagesConfig;
pub use links::LinksConfig;
pub use routes::{assets_routes, routes, webhooks_routes};
pub use settings::{OF_THE_INSTALLATION, laid_over};
pub use tables::{CONTROL_MIGRATIONS, MIGRATIONS, SEALED};
pub use user::{NewUser, User, UserRecord, UserSession, UserStatus};

/// The feature's name, in migrations and in the OpenAPI document.
pub const NAME: &str = "identity";
