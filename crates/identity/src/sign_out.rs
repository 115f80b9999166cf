//! Going out: log out, end the sessions of others.

use kernel::{Error, Principal, Reason, Result, Tenant};

use crate::{
    Identity,
    entry::Visitor,
    tables::{
        sessions,
        users::{self, Lookup},
    },
};

impl Identity {
    /// Ends the caller's session.
    pub(crate) async fn log_out(&self, tenant: &Tenant, visitor: &Visitor, caller: &Principal) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        let session = caller.session()?;
        sessions::end(&open.system, &visitor.context(caller.user()), session).await?;
        self.sessions.end(&[session]);
        tracing::info!(
            target: "audit", action = "logout", outcome = "ok", tenant = tenant.name, user = caller.number,
            client = %visitor.client, request_id = %visitor.request,
        );
        Ok(())
    }

    /// Ends the sessions of a user, but never the caller's own; answers how many.
    ///
    /// Errors: 403 `power_too_low`.
    pub(crate) async fn clear_sessions(
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
        let (ddl, id) = (open.system.ddl(), target.user.id);
        let context = visitor.context(caller.user());
        let ended = open.system.transaction(&context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move {
                users::lock(transaction, &ddl, id).await?;
                sessions::end_all(transaction, &ddl, id, Some(own)).await
            })
        });
        let ended = ended.await?;
        self.sessions.end(&ended);
        tracing::info!(
            target: "audit", action = "clear-sessions", outcome = "ok", tenant = tenant.name, user = caller.number,
            of = number, sessions = ended.len(), client = %visitor.client, request_id = %visitor.request,
        );
        Ok(ended.len())
    }
}
