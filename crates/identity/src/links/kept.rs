//! What is kept of an outside account besides whose it is.

use kernel::{Result, Secret, seal::Place, time::Timestamp};
use provider::{Grant, Profile};
use store::OpenTenant;
use uuid::Uuid;

use crate::tables::linked_accounts::{self, Kept, LINKED, Owner, Told};

/// Characters of a name that are kept.
const NAME: usize = 200;

/// An account that a provider vouches for.
pub(super) struct Arrival {
    /// The provider's name.
    pub(super) provider: String,
    pub(super) profile: Profile,
    pub(super) granted: Granted,
}

/// What the provider gave with the account.
pub(super) enum Granted {
    /// Nothing: a foreign token was exchanged.
    Nothing,
    /// Tokens, which are not kept.
    Dropped,
    /// Tokens, which are kept.
    Tokens { access: Secret, refresh: Option<Secret>, expires_at: Option<Timestamp> },
}

impl Arrival {
    pub(super) fn of_grant(provider: &str, grant: Grant, keep: bool) -> Self {
        let Grant { profile, access_token: access, refresh_token: refresh, expires_at } = grant;
        let granted = if keep { Granted::Tokens { access, refresh, expires_at } } else { Granted::Dropped };
        Self { provider: provider.to_owned(), profile, granted }
    }

    /// Whose the account is.
    pub(super) async fn owner(&self, open: &OpenTenant) -> Result<Option<Owner>> {
        Ok(linked_accounts::owner(&open.system, &self.provider, &self.profile.subject).await?)
    }

    /// As it is stored in the row of a link.
    pub(super) fn told(&self, open: &OpenTenant, link: Uuid) -> Result<Told> {
        let row = link.to_string();
        let seal = |column, token: &Secret| {
            open.key.seal(Place { tenant: open.tenant.id, table: LINKED, row: &row, column }, token.expose().as_bytes())
        };
        let tokens = match &self.granted {
            Granted::Nothing => None,
            Granted::Dropped => Some(Kept::default()),
            Granted::Tokens { access, refresh, expires_at } => Some(Kept {
                access_token: Some(seal("access_token", access)?),
                refresh_token: refresh.as_ref().map(|token| seal("refresh_token", token)).transpose()?,
                expires_at: *expires_at,
            }),
        };
        let Profile { email, name, .. } = &self.profile;
        Ok(Told { email: email.clone(), name: name.as_deref().map(|name| name.chars().take(NAME).collect()), tokens })
    }
}
