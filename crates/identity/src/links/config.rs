//! What outside accounts may do: the table `[identity.links]`.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::Registration;

/// What outside accounts may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinksConfig {
    /// Whether strangers who come with an outside account become users: `open` or `closed`. `registration` of the whole
    /// must be open, too.
    pub registration: Registration,
    /// Whether an outside account is linked without asking to the user who has its e-mail address, if both the provider
    /// and the user have proved it. Whoever rules the mailbox then rules the account.
    pub by_verified_email: bool,
    /// Pages that browsers may be sent back to from a provider, each with the pages below its path. Where there are
    /// none: those of the tenant's domain and of its CORS origins.
    pub return_urls: Vec<Url>,
}
