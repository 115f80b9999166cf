//! Letters to users: asked for in a request, written and sent in the background.
//!
//! A request stores what is needed to write a letter, never the letter itself: whom it goes to is looked up, and the
//! token in it made, when it is sent. So a request does the same work for an address that nobody has, and no token
//! lies anywhere in the clear. A letter may be sent twice, where a process ends between sending it and writing that
//! down; only the later token is good then.

mod carrier;
mod mailers;
mod pages;
mod writer;

use std::sync::Arc;

use kernel::{Error, Reason, Result, Tenant, time::Timestamp};
use serde::{Deserialize, Serialize};
use store::{OpenTenant, Tenants};
use tokio::sync::Notify;
use uuid::Uuid;

pub use self::pages::PagesConfig;

use self::mailers::Mailers;
use crate::{
    Identity, IdentityConfig, User,
    entry::Visitor,
    tables::letters::{self, Queued},
};

/// Letters of one tenant that may wait to be sent.
const MOST_WAITING: i64 = 10_000;

/// What a letter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Confirm the address of the account.
    VerifyEmail,
    /// Confirm the address that the account shall have.
    ChangeEmail,
    /// Set another password.
    ResetPassword,
    /// Somebody made an account for you: set a password.
    Invitation,
    /// Somebody wanted to register with your address.
    AlreadyRegistered,
    /// The password was changed.
    PasswordChanged,
    /// The address was changed; it goes to the old one.
    EmailChanged,
    /// The second factor was changed.
    SecondFactorChanged,
    /// What a newer version stored.
    Unknown,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::VerifyEmail,
        Self::ChangeEmail,
        Self::ResetPassword,
        Self::Invitation,
        Self::AlreadyRegistered,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::SecondFactorChanged,
    ];

    /// The word for it in the database.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::Invitation => "invitation",
            Self::AlreadyRegistered => "already_registered",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.word() == word).unwrap_or(Self::Unknown)
    }

    /// Whether strangers can ask for it as often as they like; only so many of them are sent.
    const fn is_rationed(self) -> bool {
        matches!(self, Self::VerifyEmail | Self::ChangeEmail | Self::ResetPassword | Self::AlreadyRegistered)
    }
}

/// What is stored with a letter: nothing secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// The network address of whoever caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    /// What changed, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<String>,
    /// The user name of who invites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inviter: Option<String>,
    /// The address as it was written, where that is not in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spelled: Option<String>,
    /// The address that the account has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new_address: Option<String>,
}

impl Facts {
    /// Where it was caused from.
    pub(crate) fn of(visitor: &Visitor) -> Self {
        Self { client: Some(visitor.client.to_string()), ..Self::default() }
    }
}

/// A letter to be asked for.
pub(crate) struct Draft<'a> {
    pub(crate) kind: Kind,
    pub(crate) address: &'a str,
    /// Whom it is about; whoever has the address where there is none.
    pub(crate) user: Option<Uuid>,
    pub(crate) facts: Facts,
}

/// Where letters are asked for.
pub(crate) struct Letters {
    tenants: Arc<Tenants>,
    mailers: Mailers,
    wake: Notify,
}

impl Letters {
    pub(crate) fn new(tenants: Arc<Tenants>, config: Arc<IdentityConfig>) -> Self {
        Self { tenants, mailers: Mailers::new(config), wake: Notify::new() }
    }

    /// Stores a letter, durably, for the job to send. Errors: 503 `busy` where too many of the tenant wait.
    pub(crate) async fn post(&self, tenant: &Tenant, draft: Draft<'_>) -> Result<()> {
        let now = kernel::time::now();
        let address = draft.address.to_ascii_lowercase();
        let spelled = (address != draft.address).then(|| draft.address.to_owned());
        let letter = Queued {
            id: Uuid::now_v7(),
            tenant: tenant.id,
            kind: draft.kind,
            address,
            user: draft.user,
            facts: Facts { spelled, ..draft.facts },
            attempts: 0,
            due_at: now,
            created_at: now,
        };
        if !letters::add(self.tenants.control(), letter, MOST_WAITING).await? {
            return Err(Error::new(Reason::Busy, "Too many letters are waiting to be sent").retry_after(60));
        }
        self.wake.notify_one();
        Ok(())
    }
}

impl Identity {
    /// Tells a user by letter that something of the account has changed, where an address is known. What has happened has
    /// happened: a letter that cannot be stored is logged.
    pub(crate) async fn tell(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        (user, email): (Uuid, Option<&str>),
        kind: Kind,
        change: Option<&str>,
    ) {
        let Some(address) = email else { return };
        let facts =
            Facts { client: Some(visitor.client.to_string()), change: change.map(str::to_owned), ..Facts::default() };
        self.post_or_log(tenant, Draft { kind, address, user: Some(user), facts }).await;
    }

    /// Stores a letter about what has happened already.
    pub(crate) async fn post_or_log(&self, tenant: &Tenant, draft: Draft<'_>) {
        let kind = draft.kind.word();
        if let Err(error) = self.letters.post(tenant, draft).await {
            tracing::warn!(tenant = tenant.name, kind, %error, "a letter was not stored");
        }
    }

    /// Sends a user a letter with a link to set a password by.
    ///
    /// Errors: 400 `field_missing` where the user has no address; 503.
    pub async fn invite(&self, open: &OpenTenant, user: &User, inviter: Option<&str>) -> Result<()> {
        let missing = || Error::new(Reason::FieldMissing, "An invitation needs an e-mail address").at("email");
        let address = user.email.as_deref().ok_or_else(missing)?;
        let facts = Facts { inviter: inviter.map(str::to_owned), ..Facts::default() };
        let draft = Draft { kind: Kind::Invitation, address, user: Some(user.id), facts };
        self.letters.post(&open.tenant, draft).await
    }
}

/// A moment as letters show it.
fn shown(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn words_lead_back_to_their_kinds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), kind);
        }
        assert_eq!(Kind::from_word("birthday"), Kind::Unknown);
    }
}
