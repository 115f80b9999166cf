//! Users as other parts of the program see them.

use std::sync::Arc;

use kernel::{Group, Secret, ToolkitOverride, time::Timestamp};
use uuid::Uuid;

use crate::{accounts::Profile, tables::sessions::Listed};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: Uuid,
    /// 1, 2, 3 … in the tenant, given once.
    pub number: i64,
    /// The name to log in with.
    pub username: String,
    /// The e-mail address, where one is known.
    pub email: Option<String>,
    /// The name to show.
    pub name: String,
    /// Whether the user may log in.
    pub status: UserStatus,
    /// When the address proved to be the user's own.
    pub email_verified_at: Option<Timestamp>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// Places in toolkits that the user has whatever the group has.
    pub toolkit_overrides: Arc<[ToolkitOverride]>,
    /// The group.
    pub group: Group,
}

/// Whether a user may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// May log in.
    Active,
    /// May not, and has no sessions.
    Suspended,
}

impl UserStatus {
    /// The word for it in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// Whatever else the database says lets nobody in.
    pub(crate) fn from_word(word: &str) -> Self {
        if word == Self::Active.word() { Self::Active } else { Self::Suspended }
    }
}

/// A user to be.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The name to log in with: 3 to 64 ASCII letters, digits, dots, underscores and hyphens.
    pub username: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The name to show; the user name where absent.
    pub name: Option<String>,
    /// The password; nobody can log in with one where absent.
    pub password: Option<Secret>,
    /// Instead of the password, its hash from another program: of bcrypt, or of Argon2 as a PHC string. It is renewed
    /// when the user logs in.
    pub password_hash: Option<Secret>,
    /// The group's name; the configured default where absent.
    pub group: Option<String>,
}

/// A user as administrators see one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct UserRecord {
    /// The user.
    pub user: User,
    /// Whether there is a password to log in with.
    pub has_password: bool,
    /// Whether there is a PIN.
    pub has_pin: bool,
    /// Whether there is a card or badge.
    pub has_card: bool,
    /// Whether a second factor is asked for.
    pub second_factor: bool,
    /// When one of the sessions that are alive was last used, to half a minute.
    pub last_seen: Option<Timestamp>,
    /// The profile, where it was asked for.
    pub(crate) profile: Option<Profile>,
}

/// Where a user is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSession {
    /// The session's id.
    pub id: Uuid,
    /// How it began: `password`, `pin`, `token` …; none in a session of an older version.
    pub method: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to half a minute.
    pub last_accessed: Timestamp,
    /// When it ends, or ended, if it is used no more.
    pub expires_at: Timestamp,
    /// The address that it began from.
    pub ip: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

impl From<Listed> for UserSession {
    fn from(session: Listed) -> Self {
        let Listed { id, method, created_at, last_accessed, expires_at, ip, user_agent, .. } = session;
        Self { id, method, created_at, last_accessed, expires_at, ip, user_agent }
    }
}
