//! Somebody comes with an account that a provider vouches for.

use std::sync::Arc;

use kernel::{Error, Reason, Result, Tenant};
use store::OpenTenant;

use super::kept::Arrival;
use crate::{
    Identity,
    entry::{Entered, Method, Visitor, refused},
    identity::Claim,
    tables::{
        linked_accounts::{self, Owner},
        users::{self, Lookup},
    },
};

/// How often a name is looked for that is free, and how often is looked again after somebody else was first.
const ATTEMPTS: u32 = 8;

impl Identity {
    /// Begins a session for whom an account belongs to; strangers become users, where the settings let them.
    ///
    /// Errors: 401 `credentials_invalid` for a suspended user, `second_factor_required`; 403 `registration_closed`,
    /// `email_unverified`; 409 `email_taken` where somebody else has the proved address, `already_linked`; 503.
    pub(super) async fn arrive(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        method: Method,
        arrival: Arrival,
    ) -> Result<Entered> {
        if let Some(owner) = arrival.owner(open).await? {
            return self.enter_linked(tenant, open, visitor, method, &arrival, owner).await;
        }
        // Of many at once only one needs to be made a user. Between nodes the unique keys decide.
        let account = Claim::Account(arrival.provider.clone(), arrival.profile.subject.clone());
        let _turn = self.registering.enter((tenant.id, account)).await;
        for attempt in 0..ATTEMPTS {
            if let Some(owner) = arrival.owner(open).await? {
                return self.enter_linked(tenant, open, visitor, method, &arrival, owner).await;
            }
            if let Some(entered) = self.welcome(tenant, open, visitor, method, &arrival, attempt).await? {
                return Ok(entered);
            }
        }
        Err(Error::plain(Reason::Busy))
    }

    /// Begins a session for the owner of an account.
    pub(super) async fn enter_linked(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        method: Method,
        arrival: &Arrival,
        owner: Owner,
    ) -> Result<Entered> {
        let stored = users::find(&open.system, &Lookup::Id(owner.user)).await?.ok_or_else(refused)?;
        // A link that is removed at this moment was there a moment ago.
        let entered = self.enter(tenant, open, visitor, stored.user, method, |_| true).await?;
        let told = arrival.told(open, owner.link)?;
        let context = visitor.context(Some(entered.user.number));
        if let Err(error) = linked_accounts::used(&open.system, &context, owner.link, told).await {
            tracing::warn!(tenant = tenant.name, %error, "the use of a linked account was not written down");
        }
        Ok(entered)
    }
}
