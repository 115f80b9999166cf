//! Registering: a stranger becomes a user.

use std::sync::Arc;

use kernel::{Error, Reason, Result, Tenant};

use crate::{
    Identity, NewUser, Registration,
    entry::{Entered, Method, Visitor, add_with_session},
    identity::Claim,
    users::{finished, taken},
};

impl Identity {
    /// Makes a user and the first session in one transaction.
    ///
    /// Errors: 403 `registration_closed`, otherwise as [`Identity::create_user`].
    pub(crate) async fn register(&self, tenant: &Arc<Tenant>, visitor: &Visitor, new: NewUser) -> Result<Entered> {
        let settings = self.settings.of(tenant).await?;
        if settings.registration == Registration::Closed {
            return Err(Error::plain(Reason::RegistrationClosed));
        }
        // Whoever wants the same name or address waits for the first, and then needs no hash to be refused. All take
        // the name before the address, so that no two wait for each other.
        let name = Claim::Username(new.username.to_ascii_lowercase());
        let _name = self.registering.enter((tenant.id, name)).await;
        let _address = match &new.email {
            Some(email) => Some(self.registering.enter((tenant.id, Claim::Email(email.to_ascii_lowercase()))).await),
            None => None,
        };
        let open = self.tenants.open(tenant).await?;
        let (fresh, group) = self.prepare(&open, new).await?;
        // The number is given inside the transaction; the token does not hold it.
        let mut user = finished(fresh.clone(), group, 0);
        let (session, tokens) = self.new_session(tenant, visitor, &user, Method::Register).await?;
        let ddl = open.system.ddl();
        let context = visitor.context(None);
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh, session) = (ddl.clone(), fresh.clone(), session.clone());
            Box::pin(async move { add_with_session(transaction, &ddl, fresh, session).await })
        });
        user.number = added.await.map_err(taken)?;
        tracing::info!(
            target: "audit", action = "register", outcome = "ok", tenant = tenant.name, user = user.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(Entered { user, tokens })
    }
}
