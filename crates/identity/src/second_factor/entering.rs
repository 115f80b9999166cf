//! The second step of a log in.

use std::{sync::Arc, time::Instant};

use kernel::{Error, Reason, Result, Tenant};
use store::{Ddl, OpenTenant, Transaction};
use uuid::Uuid;

use super::{
    Owner, Proof, code_invalid,
    ticket::{LIFETIME, Ticket, invalid},
};
use crate::{
    Identity, User, UserStatus,
    backoff::Target,
    entry::{Entered, Method, Visitor},
    tables::{
        second_factors,
        sessions::{self, Fresh},
        users::{self, Locked, Lookup},
    },
};

/// How the second step went, with the sessions that had to make room.
enum Outcome {
    In(Vec<Uuid>),
    WrongCode,
    /// The user, the credentials or the second factor are not what they were.
    Void,
}

/// A refusal of the first step's session: it needs a second step.
pub(crate) fn required(open: &OpenTenant, user: &User, method: Method, locked: &Locked) -> Error {
    let now = kernel::time::now().as_second() as u64;
    let text = Ticket::write(&open.key, user.id, method, locked, now);
    Error::plain(Reason::SecondFactorRequired).with_ticket(kernel::Ticket { text, expires_in: LIFETIME })
}

impl Identity {
    /// Begins the session that a ticket stands for.
    ///
    /// Errors: 401 `ticket_invalid` where it has expired, is void, was used or was tried too often; 401 `code_invalid`;
    /// 429; 503.
    pub(crate) async fn enter_with_ticket(
        &self,
        tenant: &Arc<Tenant>,
        visitor: &Visitor,
        ticket: &str,
        proof: &Proof,
    ) -> Result<Entered> {
        let open = self.tenants.open(tenant).await?;
        let ticket = Ticket::read(&open.key, ticket, kernel::time::now().as_second() as u64)?;
        let targets = Target::code(tenant.id, &ticket.user.to_string(), visitor.client);
        let outcome = match self.backoff.attempt(targets, Instant::now()).and_then(|()| self.tries.count(&ticket)) {
            Ok(()) => {
                let outcome = self.try_code(tenant, &open, visitor, &ticket, proof).await;
                self.backoff.settle(targets, &outcome);
                outcome
            }
            Err(error) => Err(error),
        };
        if outcome.is_ok() {
            self.tries.spend(&ticket);
        }
        let user = outcome.as_ref().ok().map(|entered| entered.user.number);
        tracing::info!(
            target: "audit", action = "login", outcome = kernel::error::outcome_word(&outcome),
            tenant = tenant.name, user, user_id = %ticket.user, method = ticket.method.word(), second_factor = proof.word(),
            client = %visitor.client, request_id = %visitor.request,
        );
        outcome
    }

    async fn try_code(
        &self,
        tenant: &Arc<Tenant>,
        open: &OpenTenant,
        visitor: &Visitor,
        ticket: &Ticket,
        proof: &Proof,
    ) -> Result<Entered> {
        let stored = users::find(&open.system, &Lookup::Id(ticket.user)).await?.ok_or_else(invalid)?;
        let (session, tokens) = self.new_session(tenant, visitor, &stored.user, ticket.method).await?;
        let step =
            Arc::new(Step { owner: Owner::new(open, ticket.user), ticket: ticket.clone(), proof: proof.clone() });
        let ddl = open.system.ddl();
        let context = visitor.context(Some(stored.user.number));
        let outcome = open.system.transaction(&context, move |transaction| {
            let (step, ddl, session) = (Arc::clone(&step), ddl.clone(), session.clone());
            Box::pin(async move { step.take(transaction, &ddl, session).await })
        });
        match outcome.await? {
            Outcome::In(evicted) => {
                self.sessions.end(&evicted);
                Ok(Entered { user: stored.user, tokens })
            }
            Outcome::WrongCode => Err(code_invalid()),
            Outcome::Void => Err(invalid()),
        }
    }
}

struct Step {
    owner: Owner,
    ticket: Ticket,
    proof: Proof,
}

impl Step {
    async fn take(&self, transaction: &mut Transaction<'_>, ddl: &Ddl, session: Fresh) -> store::Result<Outcome> {
        let user = self.owner.user;
        let locked = users::lock(transaction, ddl, user).await?;
        let holds = |locked: &Locked| locked.status == UserStatus::Active && self.ticket.holds(&self.owner.key, locked);
        if !locked.as_ref().is_some_and(holds) {
            return Ok(Outcome::Void);
        }
        let factor = second_factors::get(transaction, ddl, user).await?;
        let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else { return Ok(Outcome::Void) };
        if !self.owner.take(transaction, ddl, &factor, &self.proof).await? {
            return Ok(Outcome::WrongCode);
        }
        sessions::add(transaction, ddl, session).await.map(Outcome::In)
    }
}
