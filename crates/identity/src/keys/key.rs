//! API keys as other parts of the program see them.

use ipnet::IpNet;
use kernel::{KeyKind, Secret, Span, time::Timestamp};
use uuid::Uuid;

/// An API key: everything but the key itself, which nobody knows any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The id, which is a part of the key's text.
    pub id: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// What its maker calls it.
    pub name: String,
    /// How its text begins.
    pub prefix: String,
    /// How its text ends.
    pub last_four: String,
    /// Who made it; whom a personal key acts as.
    pub owner: Uuid,
    /// The number of that user.
    pub owner_number: i64,
    /// The name of that user.
    pub owner_name: String,
    /// The group that a server key or a publishable key acts as.
    pub group: Option<String>,
    /// The names of the abilities that it may use.
    pub scopes: Vec<String>,
    /// Networks from which it may be used; from anywhere where there are none.
    pub addresses: Vec<IpNet>,
    /// Origins of the web pages that may use it; anything may where there are none.
    pub origins: Vec<String>,
    /// The rate class that limits it.
    pub rate_class: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that it took the place of.
    pub rotated_from: Option<String>,
    /// When another key took its place.
    pub rotated_at: Option<Timestamp>,
    /// Where it came from, for a key of another back end.
    pub imported_from: Option<String>,
}

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It can.
    Live,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// It came from another back end and may not be used here: another key must take its place.
    RotationDue,
}

impl KeyState {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::RotationDue => "rotation_due",
        }
    }
}

impl Key {
    /// Whether it can be used at a moment, as far as the key itself goes.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.rotation_due() {
            KeyState::RotationDue
        } else if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Live
        }
    }

    /// An import revokes what it may not keep in the moment in which it writes it down.
    pub(crate) fn rotation_due(&self) -> bool {
        self.imported_from.is_some() && self.rotated_at.is_none() && self.revoked_at == Some(self.created_at)
    }
}

/// A key to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What kind of key.
    pub kind: KeyKind,
    /// What to call it: 1 to 100 characters.
    pub name: String,
    /// The names of the abilities that it may use.
    pub scopes: Vec<String>,
    /// The group that a server key acts as; its maker's where absent.
    pub group: Option<String>,
    /// Addresses and CIDR blocks from which it may be used.
    pub addresses: Option<Vec<String>>,
    /// Origins of the web pages that may use it.
    pub origins: Option<Vec<String>>,
    /// The rate class that limits it.
    pub rate_class: Option<String>,
    /// How long it lives.
    pub lifetime: Lifetime,
}

/// How long a key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// 90 days.
    #[default]
    Usual,
    /// So long.
    For(Span),
    /// Until it is revoked, where the tenant's settings allow that.
    Unending,
}

/// What changes of a key. What is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// What to call it.
    pub name: Option<String>,
    /// The names of the abilities that it may use.
    pub scopes: Option<Vec<String>>,
    /// Addresses and CIDR blocks from which it may be used.
    pub addresses: Option<Vec<String>>,
    /// Origins of the web pages that may use it.
    pub origins: Option<Vec<String>>,
    /// The rate class that limits it, or that none does.
    pub rate_class: Option<Option<String>>,
    /// How long it lives from now on.
    pub lifetime: Option<Lifetime>,
}

/// A key that was made a moment ago.
#[derive(Debug, Clone)]
pub struct MadeKey {
    /// The key's text. It is told now and never again.
    pub secret: Secret,
    /// What is kept of it.
    pub key: Key,
}
