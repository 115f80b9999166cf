//! The outside accounts of a user: seen and removed.

use kernel::{Authenticated, Error, Principal, Reason, Result, Tenant, ability};
use provider::Kind;

use crate::{
    Identity,
    entry::Visitor,
    tables::{
        linked_accounts::{self, Linked},
        users,
    },
};

/// Which providers there are, and which accounts are linked.
pub(crate) struct Overview {
    /// Name and kind of each, by name.
    pub(crate) providers: Vec<(String, Kind)>,
    /// None where nobody is logged in.
    pub(crate) accounts: Option<Vec<Linked>>,
}

impl Identity {
    /// What a log-in page or an account page shows. Errors: 403 `ability_missing`, `scope_missing`.
    pub(crate) async fn link_overview(&self, tenant: &Tenant, caller: Option<&Authenticated>) -> Result<Overview> {
        let settings = self.settings.of(tenant).await?;
        let kind = |(name, config): (&String, &provider::ProviderConfig)| Some((name.clone(), config.kind_as(name)?));
        let providers = settings.providers.iter().filter_map(kind).collect();
        let accounts = match caller.filter(|caller| caller.principal.user().is_some()) {
            None => None,
            Some(caller) => {
                caller.principal.require(ability::ACCOUNT_READ)?;
                let open = self.tenants.open(&caller.tenant).await?;
                Some(linked_accounts::of_user(&open.system, caller.principal.id).await?)
            }
        };
        Ok(Overview { providers, accounts })
    }

    /// Removes the caller's account at a provider. Sessions that began with it go on.
    ///
    /// Errors: 403 `session_required`; 404 `not_found`; 409 `last_credential`; 503.
    pub(crate) async fn unlink(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        provider: &str,
    ) -> Result<()> {
        caller.session()?;
        let settings = self.settings.of(tenant).await?;
        let open = self.tenants.open(tenant).await?;
        let (ddl, id, name) = (open.system.ddl(), caller.id, provider.to_owned());
        let context = visitor.context(caller.user());
        let removed = open.system.transaction(&context, move |transaction| {
            let (ddl, name, settings) = (ddl.clone(), name.clone(), settings.clone());
            Box::pin(async move {
                let locked = users::lock(transaction, &ddl, id).await?.ok_or_else(not_linked)?;
                let linked = linked_accounts::providers(transaction, &ddl, id).await?;
                if !linked.contains(&name) {
                    return Err(not_linked().into());
                }
                // By an account of a provider that is no more nobody can log in.
                let other = linked.iter().any(|other| *other != name && settings.providers.contains_key(other));
                if !other && !locked.has_credential() {
                    return Err(Error::plain(Reason::LastCredential).into());
                }
                linked_accounts::remove(transaction, &ddl, id, &name).await
            })
        });
        let removed = removed.await.map_err(Error::from);
        tracing::info!(
            target: "audit", action = "unlink", outcome = kernel::error::outcome_word(&removed),
            tenant = tenant.name, user = caller.number, provider, status = removed.as_ref().map_or_else(|error| error.reason.status(), |()| 204), client = %visitor.client,
            request_id = %visitor.request,
        );
        removed
    }
}

fn not_linked() -> Error {
    Error::new(Reason::NotFound, "No account of this provider is linked")
}
