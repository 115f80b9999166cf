//! A session for a foreign token.

use std::sync::Arc;

use kernel::{Result, Secret, Tenant};

use super::kept::{Arrival, Granted};
use crate::{
    Identity,
    entry::{Entered, Method, Visitor},
};

impl Identity {
    /// Begins a session for whom a foreign token is of, by asking its issuer. A token can be exchanged as long as it is
    /// good.
    ///
    /// Errors: 401 `foreign_token_invalid`; 404 `provider_unknown`; 502 `provider_unavailable`; otherwise as
    /// [`Self::arrive`].
    pub(crate) async fn exchange(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        name: &str,
        token: &Secret,
    ) -> Result<Entered> {
        let settings = self.settings.of(tenant).await?;
        let provider = self.providers.of(&settings, name).await?;
        let outcome = async {
            let profile = provider.exchange(token).await?;
            let open = self.tenants.open(tenant).await?;
            let arrival = Arrival { provider: name.to_owned(), profile, granted: Granted::Nothing };
            self.arrive(tenant, &open, visitor, Method::Exchange, arrival).await
        };
        let outcome = outcome.await;
        let user = outcome.as_ref().ok().map(|entered| entered.user.number);
        tracing::info!(
            target: "audit", action = "exchange", outcome = kernel::error::outcome_word(&outcome),
            tenant = tenant.name, user, provider = name, client = %visitor.client, request_id = %visitor.request,
        );
        outcome
    }
}
