//! Strangers with an outside account become users, or find that they are.

use std::sync::Arc;

use kernel::{Error, Group, Reason, Result, Tenant};
use store::{OpenTenant, Value};
use uuid::Uuid;

use super::{kept::Arrival, linking::another_of_provider, username};
use crate::{
    Identity, IdentityConfig, NewUser, Registration, User, UserStatus,
    entry::{Entered, Method, Visitor, add_with_session, refused},
    fitness,
    tables::{
        linked_accounts::{self, Owner},
        users::{self, Fresh, Lookup},
    },
    users::finished,
};

/// Whether strangers may become users by an outside account. Errors: 403 `registration_closed`.
pub(super) fn require_open(settings: &IdentityConfig) -> Result<()> {
    if settings.registration == Registration::Open && settings.links.registration == Registration::Open {
        return Ok(());
    }
    Err(Error::plain(Reason::RegistrationClosed))
}

impl Identity {
    /// Makes a user with the account and the first session; none where somebody else was first with something of it, so
    /// that one must look again.
    pub(super) async fn welcome(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        method: Method,
        arrival: &Arrival,
        attempt: u32,
    ) -> Result<Option<Entered>> {
        let profile = &arrival.profile;
        let proved =
            profile.email.as_deref().filter(|email| profile.email_verified && fitness::check_email(email).is_ok());
        if let Some(email) = proved
            && let Some(stored) = users::find(&open.system, &Lookup::Email(email.to_ascii_lowercase())).await?
        {
            return self.adopt(tenant, open, visitor, method, arrival, (stored.user, email)).await;
        }
        require_open(&*self.settings.of(tenant).await?)?;
        let random = Uuid::new_v4().as_u64_pair().1;
        let new = NewUser {
            username: username::candidate(profile, attempt, random),
            email: proved.map(str::to_owned),
            name: profile.name.clone().filter(|name| fitness::check_name(name).is_ok()),
            ..NewUser::default()
        };
        let (fresh, group) = match self.prepare(open, new).await {
            Err(error) if matches!(error.reason, Reason::UsernameTaken | Reason::EmailTaken) => return Ok(None),
            prepared => prepared?,
        };
        self.add_newcomer(tenant, open, visitor, method, arrival, (fresh, group)).await
    }

    /// User, account and session in one transaction.
    async fn add_newcomer(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        method: Method,
        arrival: &Arrival,
        (fresh, group): (Fresh, Group),
    ) -> Result<Option<Entered>> {
        let verified = fresh.email.is_some().then_some(fresh.created_at);
        // The number is given inside the transaction; the token does not hold it.
        let mut user = User { email_verified_at: verified, ..finished(fresh.clone(), group, 0) };
        let (session, tokens) = self.new_session(tenant, visitor, &user, method).await?;
        let account = new_account(open, arrival, user.id)?;
        let (ddl, id) = (open.system.ddl(), user.id);
        let context = visitor.context(None);
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh, session, account) = (ddl.clone(), fresh.clone(), session.clone(), account.clone());
            Box::pin(async move {
                let number = add_with_session(transaction, &ddl, fresh, session).await?;
                if verified.is_some() {
                    users::set(transaction, &ddl, id, vec![("email_verified_at", Value::from(verified))]).await?;
                }
                linked_accounts::add(transaction, &ddl, account).await?;
                Ok(number)
            })
        });
        user.number = match added.await {
            Err(store::Error::Unique(_)) => return Ok(None),
            added => added?,
        };
        tracing::info!(
            target: "audit", action = "register", outcome = "ok", tenant = tenant.name, user = user.number,
            method = method.word(), provider = arrival.provider, client = %visitor.client,
            request_id = %visitor.request,
        );
        Ok(Some(Entered { user, tokens }))
    }

    /// Links an account to the user who has its address, if the settings say so and both sides have proved it; none where
    /// somebody else was first.
    async fn adopt(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        method: Method,
        arrival: &Arrival,
        (user, email): (User, &str),
    ) -> Result<Option<Entered>> {
        if !self.settings.of(tenant).await?.links.by_verified_email || user.email_verified_at.is_none() {
            return Err(email_taken());
        }
        let account = new_account(open, arrival, user.id)?;
        let owner = Owner { link: account.id, user: user.id };
        let (ddl, id, email) = (open.system.ddl(), user.id, email.to_ascii_lowercase());
        let context = visitor.context(Some(user.number));
        let linked = open.system.transaction(&context, move |transaction| {
            let (ddl, account, email) = (ddl.clone(), account.clone(), email.clone());
            Box::pin(async move {
                if users::lock(transaction, &ddl, id).await?.is_none_or(|locked| locked.status != UserStatus::Active) {
                    return Err(refused().into());
                }
                if !linked_accounts::has_proved(transaction, &ddl, id, &email).await? {
                    return Err(email_taken().into());
                }
                if linked_accounts::providers(transaction, &ddl, id).await?.contains(&account.provider) {
                    return Ok(false);
                }
                linked_accounts::add(transaction, &ddl, account).await.map(|()| true)
            })
        });
        match linked.await {
            Err(store::Error::Unique(_)) => return Ok(None),
            Ok(false) => {
                return if arrival.owner(open).await?.is_some() { Ok(None) } else { Err(another_of_provider()) };
            }
            other => other?,
        };
        tracing::info!(
            target: "audit", action = "link", outcome = "by_verified_email", tenant = tenant.name, user = user.number,
            provider = arrival.provider, client = %visitor.client, request_id = %visitor.request,
        );
        self.enter_linked(tenant, open, visitor, method, arrival, owner).await.map(Some)
    }
}

/// The row that links an account to a user.
pub(super) fn new_account(open: &OpenTenant, arrival: &Arrival, user: Uuid) -> Result<linked_accounts::Fresh> {
    let id = Uuid::now_v7();
    Ok(linked_accounts::Fresh {
        id,
        provider: arrival.provider.clone(),
        subject: arrival.profile.subject.clone(),
        user,
        told: arrival.told(open, id)?,
        linked_at: kernel::time::now(),
    })
}

fn email_taken() -> Error {
    let message = "Another user has the e-mail address of this account; log in as that user and link the account there";
    Error::new(Reason::EmailTaken, message)
}
