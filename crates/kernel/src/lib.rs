//! The words all rooms of Insula share: errors and their reasons, ids, principals, tenants, sizes, secrets and
//! the traits by which one room asks another for something without knowing it.
//!
//! This crate depends on no other crate of the workspace and does no input or output of its own.

pub mod ability;
pub mod auth;
pub mod bounds;
pub mod columns;
pub mod data_api;
pub mod error;
pub mod identifier;
pub mod json;
pub mod log_context;
pub mod mismatch;
pub mod network;
pub mod principal;
pub mod probe;
pub mod reload;
pub mod request;
pub mod restart;
pub mod rules;
pub mod seal;
pub mod secret;
pub mod settings;
pub mod size;
pub mod soon;
pub mod span;
pub mod tenant;
pub mod time;
pub mod toolkits;
pub mod turnstile;

pub use auth::{Authenticated, Authenticator, Door, HostTenant, Presented};
pub use data_api::{DataApi, Program, QueryCheck};
pub use error::{Error, Reason, Result, Ticket};
pub use log_context::LogContext;
pub use mismatch::Mismatch;
pub use network::Network;
pub use principal::{ApiKey, Credential, Group, KeyKind, Principal, ToolkitGroup, ToolkitOverride, WebhookCredential};
pub use probe::Probe;
pub use request::{Cause, ClientAddress, RequestId, WriteContext};
pub use rules::RuleCheck;
pub use secret::Secret;
pub use settings::{Overrides, SettingsTable};
pub use size::ByteSize;
pub use soon::Soon;
pub use span::Span;
pub use tenant::{Tenant, TenantDirectory, TenantId, TenantStatus};

/// A boxed future, the answer type of the traits that rooms offer each other.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
