//! The job that sends letters: a few at once of each tenant, so that a slow mail server of one holds up nobody else.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernel::{Result, Tenant, TenantDirectory, TenantId, TenantStatus, time::Timestamp};
use mail::SendError;
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Identity,
    identity::told,
    tables::letters::{self, Outcome, Queued},
};

/// Letters on the way at once, of all tenants and of one.
const AT_ONCE: usize = 64;
const OF_ONE_TENANT: usize = 4;
/// How often to look for letters that other processes stored, or that are due again.
const LOOK: Duration = Duration::from_secs(2);
/// Time that one letter may take, and for which whoever has claimed it has it.
const LONGEST: Duration = Duration::from_secs(45);
const CLAIM: Duration = Duration::from_mins(1);
/// Pauses after an attempt that failed; the last of them again and again.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(10), Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];
/// Age at which a letter is given up.
const GIVEN_UP: Duration = Duration::from_hours(24);
/// Letters of one kind for one address within [`RATION_TIME`] that strangers can cause.
const RATION: i64 = 5;
pub(super) const RATION_TIME: Duration = Duration::from_hours(1);
const SWEEP: Duration = Duration::from_mins(10);

impl Identity {
    /// Sends letters, as they are asked for and as they are due again. Once `stop` is true it claims no more and ends
    /// when those on the way have arrived.
    pub(crate) fn carry_letters(
        self: &Arc<Self>,
        mut stop: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let identity = Arc::clone(self);
        async move {
            let mut on_the_way = JoinSet::new();
            let busy = Arc::new(Busy::default());
            let mut swept = Instant::now();
            loop {
                if let Err(error) = identity.send_due(&mut on_the_way, &busy).await {
                    tracing::warn!(%error, "letters could not be looked for");
                    tokio::time::sleep(LOOK).await;
                }
                if swept.elapsed() >= SWEEP {
                    swept = Instant::now();
                    if let Err(error) = letters::sweep(identity.tenants.control(), ago(RATION_TIME)).await {
                        tracing::warn!(%error, "letters that were sent could not be removed");
                    }
                }
                tokio::select! {
                    () = identity.letters.wake.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    Some(_) = on_the_way.join_next() => {}
                    () = told(&mut stop) => break,
                }
                while on_the_way.try_join_next().is_some() {}
            }
            while on_the_way.join_next().await.is_some() {}
        }
    }

    /// Claims letters that are due and sets out with them, for as long as there are any and there is room.
    async fn send_due(self: &Arc<Self>, on_the_way: &mut JoinSet<()>, busy: &Arc<Busy>) -> Result<()> {
        let control = self.tenants.control();
        loop {
            let room = AT_ONCE.saturating_sub(on_the_way.len());
            if room == 0 {
                return Ok(());
            }
            let due = letters::due(control, &busy.full(), room as u64).await?;
            let mut claimed = false;
            for mut letter in due {
                let Some(place) = Busy::enter(busy, letter.tenant) else { continue };
                if !letters::claim(control, &mut letter, from_now(CLAIM)).await? {
                    continue;
                }
                claimed = true;
                let identity = Arc::clone(self);
                on_the_way.spawn(async move {
                    let _place = place;
                    identity.send_claimed(&letter).await;
                });
            }
            if !claimed {
                return Ok(());
            }
        }
    }

    async fn send_claimed(&self, letter: &Queued) {
        let outcome = match tokio::time::timeout(LONGEST, self.try_to_send(letter)).await {
            Ok(outcome) => outcome,
            Err(_) => again(letter, "it took too long"),
        };
        if let Err(error) = letters::finish(self.tenants.control(), letter, outcome).await {
            tracing::warn!(letter = %letter.id, %error, "what became of a letter was not written down");
        }
    }

    async fn try_to_send(&self, letter: &Queued) -> Outcome {
        let tenant = match self.tenants.by_id(letter.tenant).await {
            Ok(Some(tenant)) if tenant.status == TenantStatus::Active => tenant,
            Ok(Some(_)) => return again(letter, "its tenant is suspended"),
            Ok(None) => return Outcome::Dropped,
            Err(error) => return again(letter, &error.to_string()),
        };
        match self.write_and_send(&tenant, letter).await {
            Ok(outcome) => outcome,
            Err(error) => again(letter, &error.to_string()),
        }
    }

    async fn write_and_send(&self, tenant: &Arc<Tenant>, letter: &Queued) -> Result<Outcome> {
        if letter.kind.is_rationed() {
            let earlier = letters::earlier(self.tenants.control(), letter, ago(RATION_TIME)).await?;
            if earlier >= RATION {
                return Ok(Outcome::Dropped);
            }
        }
        let settings = self.settings.of(tenant).await?;
        let mailer = self.letters.mailers.of(tenant, &settings).await?;
        let Some(written) = self.write_letter(tenant, &settings, letter).await? else { return Ok(Outcome::Dropped) };
        match mailer.send(written).await {
            Ok(_) => {
                tracing::debug!(tenant = tenant.name, kind = letter.kind.word(), letter = %letter.id, "a letter was sent");
                Ok(Outcome::Sent)
            }
            Err(error) if error.is_permanent() => {
                tracing::warn!(
                    tenant = tenant.name, kind = letter.kind.word(), letter = %letter.id, to = domain_of(letter),
                    problem = problem(&error), "a letter cannot be sent",
                );
                Ok(Outcome::Dropped)
            }
            Err(error) => Ok(again(letter, &problem(&error))),
        }
    }
}

/// When a letter that could not be sent is tried again, if ever.
fn again(letter: &Queued, problem: &str) -> Outcome {
    let attempt = usize::try_from(letter.attempts).unwrap_or(1).clamp(1, PAUSES.len());
    let (kind, to, attempts) = (letter.kind.word(), domain_of(letter), letter.attempts);
    if letter.created_at < ago(GIVEN_UP) {
        tracing::warn!(kind, letter = %letter.id, tenant = %letter.tenant, to, attempts, problem, "a letter is given up");
        return Outcome::Dropped;
    }
    let pause = PAUSES[attempt - 1];
    let seconds = pause.as_secs();
    tracing::warn!(
        kind, letter = %letter.id, tenant = %letter.tenant, to, attempts, problem, seconds, "a letter is tried again later",
    );
    Outcome::Again(from_now(pause))
}

/// What went wrong, without what the mail server said: that may repeat the address.
fn problem(error: &SendError) -> String {
    match error {
        SendError::Refused(answer) | SendError::Deferred(answer) => match answer.status() {
            Some(code) => format!("the mail server answers {code}"),
            None => "the mail server refuses".to_owned(),
        },
        other => other.to_string(),
    }
}

/// All of an address that the log shows.
fn domain_of(letter: &Queued) -> &str {
    letter.address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

fn ago(time: Duration) -> Timestamp {
    kernel::time::now().checked_sub(time).unwrap_or(Timestamp::MIN)
}

fn from_now(time: Duration) -> Timestamp {
    kernel::time::now().checked_add(time).unwrap_or(Timestamp::MAX)
}

/// How many letters of each tenant are on the way.
#[derive(Default)]
struct Busy(Mutex<HashMap<TenantId, usize>>);

/// One letter's place among them.
struct Place {
    busy: Arc<Busy>,
    tenant: TenantId,
}

impl Busy {
    fn enter(busy: &Arc<Self>, tenant: TenantId) -> Option<Place> {
        let mut counts = busy.0.lock();
        let count = counts.entry(tenant).or_default();
        if *count >= OF_ONE_TENANT {
            return None;
        }
        *count += 1;
        Some(Place { busy: Arc::clone(busy), tenant })
    }

    /// Tenants that have as many as they may.
    fn full(&self) -> Vec<TenantId> {
        let counts = self.0.lock();
        counts.iter().filter(|(_, count)| **count >= OF_ONE_TENANT).map(|(tenant, _)| *tenant).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.busy.0.lock();
        if let Some(count) = counts.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.tenant);
            }
        }
    }
}
