//! Proving again who one is, before a credential or the account itself changes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{Error, Principal, Reason, Result, Secret, Tenant};
use store::OpenTenant;

use crate::{
    Identity, User, anonymous,
    backoff::Target,
    entry::Visitor,
    password::Verdict,
    tables::users::{self, Locked, Lookup},
};

/// Age up to which a session stands for a password that the user does not have.
const FRESH: Duration = Duration::from_mins(10);

/// Somebody who has just proved to be the user.
pub(crate) struct Proved {
    pub(crate) user: User,
    /// The hash that the password was compared with; none where the user has no password.
    known: Option<String>,
}

impl Proved {
    /// Whether what was proved still holds, for the transaction that has locked the user.
    pub(crate) fn still(&self) -> impl Fn(&Locked) -> bool + Send + Sync + Clone + 'static {
        let known = self.known.clone();
        move |locked| locked.password == known
    }

    /// Whether a password was compared.
    pub(crate) fn by_password(&self) -> bool {
        self.known.is_some()
    }
}

/// What stands for the password of users who have none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Otherwise<'a> {
    /// A session that began a moment ago.
    FreshSession,
    /// The user name, sent in the field `confirm`.
    Name(Option<&'a str>),
}

impl Identity {
    /// Compares the caller's password, which was sent in a field.
    ///
    /// Errors: 403 `session_required`, `login_too_old`, `power_too_low`; 400 `field_missing`, `field_invalid`; 401 `credentials_invalid`;
    /// 429; 503.
    pub(crate) async fn prove(
        &self,
        open: &OpenTenant,
        visitor: &Visitor,
        caller: &Principal,
        (field, password): (&'static str, Option<&Secret>),
        otherwise: Otherwise<'_>,
    ) -> Result<Proved> {
        caller.session()?;
        let stored = users::find(&open.system, &Lookup::Id(caller.id)).await?;
        let users::Stored { user, password: known, .. } = stored.ok_or_else(|| Error::plain(Reason::SessionInvalid))?;
        let Some(known) = known else {
            match otherwise {
                Otherwise::FreshSession if user.group.name == anonymous::GROUP => return Err(is_anonymous()),
                Otherwise::FreshSession => self.require_fresh(&open.tenant, caller).await?,
                Otherwise::Name(sent) => require_name(&user, sent)?,
            }
            return Ok(Proved { user, known: None });
        };
        let missing = || Error::new(Reason::FieldMissing, "Send the password of the account").at(field);
        let password = password.ok_or_else(missing)?;
        let target = Target::new(open.tenant.id, &user.username.to_ascii_lowercase(), visitor.client);
        self.backoff.attempt(target, Instant::now())?;
        match self.hasher.compare(password, Some(&known)).await {
            Ok(Verdict::Right | Verdict::Outdated) => {
                self.backoff.forget(target);
                Ok(Proved { user, known: Some(known) })
            }
            Ok(Verdict::Wrong) => {
                tracing::info!(
                    target: "audit", action = "prove", outcome = "credentials_invalid", tenant = open.tenant.name,
                    user = user.number, client = %visitor.client, request_id = %visitor.request,
                );
                Err(Error::new(Reason::CredentialsInvalid, "The password is wrong").at(field))
            }
            Err(error) => {
                self.backoff.forgive(target);
                Err(error)
            }
        }
    }

    /// Refuses a session that began a while ago. Errors: 403 `login_too_old`.
    async fn require_fresh(&self, tenant: &Arc<Tenant>, caller: &Principal) -> Result<()> {
        let session = self.sessions.current(tenant, caller.session()?).await?;
        let age = kernel::time::now().duration_since(session.created_at);
        if age.unsigned_abs() <= FRESH {
            return Ok(());
        }
        Err(Error::plain(Reason::LoginTooOld))
    }
}

/// A credential alone would make half a user of them.
fn is_anonymous() -> Error {
    Error::new(Reason::PowerTooLow, "An anonymous user gets password and address by POST /auth/upgrade")
}

fn require_name(user: &User, sent: Option<&str>) -> Result<()> {
    let refused = |reason, message| Err(Error::new(reason, message).at("confirm"));
    match sent {
        None => refused(Reason::FieldMissing, "Send the user name of the account"),
        Some(name) if name != user.username => {
            refused(Reason::FieldInvalid, "This is not the user name of the account")
        }
        Some(_) => Ok(()),
    }
}
