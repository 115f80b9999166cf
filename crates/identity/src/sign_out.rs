//! Going out: log out, end the sessions of others.

use kernel::{Error, Principal, Reason, Result, Tenant};
use uuid::Uuid;

use crate::{
    Identity,
    entry::Visitor,
    tables::{
        sessions,
        users::{self, Lookup},
    },
};

/// Which of the caller's sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    This,
    Others,
    All,
}

impl Scope {
    /// The word for it in requests.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::This => "this",
            Self::Others => "others",
            Self::All => "all",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::This, Self::Others, Self::All].into_iter().find(|scope| scope.word() == word)
    }
}

impl Identity {
    /// Ends the caller's session, the others, or all.
    pub(crate) async fn log_out(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        scope: Scope,
    ) -> Result<()> {
        let own = caller.session()?;
        match scope {
            Scope::This => {
                let open = self.tenants.open(tenant).await?;
                sessions::end(&open.system, &visitor.context(caller.user()), caller.id, own).await?;
                self.sessions.end(&[own]);
            }
            Scope::Others => drop(self.end_all_of(tenant, visitor, caller, caller.id, Some(own)).await?),
            Scope::All => drop(self.end_all_of(tenant, visitor, caller, caller.id, None).await?),
        }
        tracing::info!(
            target: "audit", action = "logout", outcome = "ok", tenant = tenant.name, user = caller.number,
            scope = scope.word(), client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }

    async fn end_all_of(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        user: Uuid,
        spared: Option<Uuid>,
    ) -> Result<usize> {
        let open = self.tenants.open(tenant).await?;
        let (ddl, context) = (open.system.ddl(), visitor.context(caller.user()));
        let ended = open.system.transaction(&context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move {
                users::lock(transaction, &ddl, user).await?;
                sessions::end_all(transaction, &ddl, user, spared).await
            })
        });
        let ended = ended.await?;
        self.sessions.end(&ended);
        Ok(ended.len())
    }

    /// Ends the sessions of a user, but never the caller's own; answers how many.
    ///
    /// Errors: 403 `power_too_low`, `session_required`.
    pub(crate) async fn clear_sessions(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        number: i64,
    ) -> Result<usize> {
        let outcome = self.try_clear_sessions(tenant, visitor, caller, number).await;
        tracing::info!(
            target: "audit", action = "clear-sessions",
            outcome = kernel::error::outcome_word(&outcome), tenant = tenant.name,
            user = caller.user(), of = number, sessions = outcome.as_ref().ok(), client = %visitor.client,
            request_id = %visitor.request,
        );
        outcome
    }

    async fn try_clear_sessions(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        number: i64,
    ) -> Result<usize> {
        let (settings, own) = (self.settings.of(tenant).await?, caller.session()?);
        let needed = settings.min_clear_sessions_power;
        if caller.group.power < needed {
            let message = format!("Ending sessions needs a power of {needed} or more");
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        let open = self.tenants.open(tenant).await?;
        let Some(target) = users::find(&open.system, &Lookup::Number(number)).await? else { return Ok(0) };
        if target.user.group.power > caller.group.power && !settings.clear_sessions_any_power {
            let message = "The sessions of users of higher power than one's own may not be ended";
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        self.end_all_of(tenant, visitor, caller, target.user.id, Some(own)).await
    }
}
