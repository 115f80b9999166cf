//! Registering: a stranger becomes a user.

use std::sync::Arc;

use kernel::{Error, Group, Reason, Result, Tenant};
use store::OpenTenant;

use crate::{
    ConfirmEmail, Identity, NewUser, Registration,
    anonymous::without_address,
    entry::{Entered, Method, Visitor, add_with_session},
    identity::Claim,
    letters::{Draft, Facts, Kind},
    tables::users::{self, Fresh},
    users::{finished, taken},
};

/// What came of registering.
pub(crate) enum Registered {
    /// The user has come in.
    Entered(Box<Entered>),
    /// The address must be confirmed first. It may have been somebody's already, who then gets a letter about that.
    Unconfirmed,
}

impl Identity {
    /// Makes a user, and the first session unless the address must be confirmed first.
    ///
    /// Errors: 403 `registration_closed`, otherwise as [`Identity::create_user`]; an address that is taken is an error only
    /// where none must be confirmed.
    pub(crate) async fn register(&self, tenant: &Arc<Tenant>, visitor: &Visitor, new: NewUser) -> Result<Registered> {
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
        if settings.confirm_email == ConfirmEmail::On
            && let Some(email) = new.email.clone()
        {
            return self.register_unconfirmed(tenant, &open, visitor, new, email).await;
        }
        let (fresh, group) = self.prepare(&open, new).await?;
        let entered = self.register_and_enter(tenant, &open, visitor, fresh, group).await?;
        Ok(Registered::Entered(Box::new(entered)))
    }

    /// User and session in one transaction.
    async fn register_and_enter(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        fresh: Fresh,
        group: Group,
    ) -> Result<Entered> {
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
        registered(tenant, visitor, "ok", Some(user.number));
        Ok(Entered { user, tokens })
    }

    /// The user without a session, and a letter. Whether the address was taken shows in the letter alone: the insert is
    /// tried in any case, and a letter stored.
    async fn register_unconfirmed(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        new: NewUser,
        email: String,
    ) -> Result<Registered> {
        let (new, _) = without_address(new)?;
        let (fresh, _) = self.prepare(open, new).await?;
        let (id, fresh) = (fresh.id, Fresh { email: Some(email.clone()), ..fresh });
        let ddl = open.system.ddl();
        let context = visitor.context(None);
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh) = (ddl.clone(), fresh.clone());
            Box::pin(async move { users::add(transaction, &ddl, fresh).await })
        });
        let (kind, user) = match added.await.map_err(taken) {
            Ok(number) => {
                registered(tenant, visitor, "unconfirmed", Some(number));
                (Kind::VerifyEmail, Some(id))
            }
            Err(error) if error.reason == Reason::EmailTaken => {
                registered(tenant, visitor, "email_taken", None);
                (Kind::AlreadyRegistered, None)
            }
            Err(error) => return Err(error),
        };
        self.post_or_log(tenant, Draft { kind, address: &email, user, facts: Facts::of(visitor) }).await;
        Ok(Registered::Unconfirmed)
    }
}

/// Where addresses are confirmed, the answer is the same whether or not the address was taken.
fn registered(tenant: &Tenant, visitor: &Visitor, outcome: &str, user: Option<i64>) {
    let status = if outcome == "ok" { 201 } else { 202 };
    tracing::info!(
        target: "audit", action = "register", outcome, status, tenant = tenant.name, user, client = %visitor.client,
        request_id = %visitor.request,
    );
}
