//! The job that runs what is due.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kernel::{
    Authenticated, Credential, Error, Principal, Reason, RequestId, Result, Tenant, TenantDirectory, TenantId,
    TenantStatus, time::Timestamp,
};
use parking_lot::Mutex;
use serde_json::Map;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::Instant,
};
use uuid::Uuid;

use super::{
    Schedule,
    turns::{Turn, Turns},
};
use crate::{
    Service,
    context::Context,
    folder::Files,
    internal,
    tables::schedules::{self, GRACE, Stored, Wanted},
    toolkit::Toolkit,
};

/// How often to look for what is due.
const LOOK: Duration = Duration::from_secs(1);
/// For so long a run is put off that cannot be done now: its tenant is suspended, or its toolkit is not known here.
const PUT_OFF: Duration = Duration::from_mins(1);
/// How long it may take to find out what a schedule is about.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Tenants whose toolkits were read, with the schedules that they shall have.
#[derive(Clone, Default)]
pub(crate) struct Changed(Arc<Notes>);

/// The schedules that a tenant shall have, and the toolkits whose files cannot be read, which keep theirs.
type Schedules = (Vec<Wanted>, Vec<String>);

#[derive(Default)]
struct Notes {
    tenants: Mutex<HashMap<TenantId, Schedules>>,
    wake: Notify,
}

impl Changed {
    /// Notes what a tenant's files say, to be written down by the job.
    pub(crate) fn note(&self, tenant: &Tenant, files: &Files) {
        let now = kernel::time::now();
        let wanted = files.toolkits.values().filter(|toolkit| toolkit.file.enabled).flat_map(|toolkit| {
            toolkit.schedules.iter().filter_map(|schedule| {
                Some(Wanted {
                    toolkit: toolkit.file.name.clone(),
                    name: schedule.name.clone(),
                    expression: schedule.rhythm.text().to_owned(),
                    next_run: schedule.rhythm.next(now)?,
                })
            })
        });
        self.0.tenants.lock().insert(tenant.id, (wanted.collect(), files.broken.clone()));
        self.0.wake.notify_one();
    }
}

/// A run that this process has until a moment.
struct Claimed {
    due: Stored,
    until: Timestamp,
    _turn: Turn,
}

impl Service {
    /// The work in the background: it writes down the schedules of toolkits that were read, and runs what is due. Once
    /// `stop` is true it begins nothing more and ends when what runs has ended.
    pub fn job(self: &Arc<Self>, mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + 'static {
        let service = Arc::clone(self);
        async move {
            let (mut running, turns) = (JoinSet::new(), Turns::default());
            loop {
                service.write_down().await;
                if let Err(error) = service.run_due(&mut running, &turns).await {
                    tracing::warn!(%error, "schedules could not be looked at");
                }
                tokio::select! {
                    () = service.registry.changed.0.wake.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    Some(_) = running.join_next() => {}
                    // An error says that nobody can stop it any more.
                    Ok(_) = stop.wait_for(|stop| *stop) => break,
                }
                while running.try_join_next().is_some() {}
            }
            while running.join_next().await.is_some() {}
        }
    }

    /// Writes down the schedules of toolkits that were read. What cannot be written is tried again.
    async fn write_down(&self) {
        let noted = std::mem::take(&mut *self.registry.changed.0.tenants.lock());
        for (tenant, (wanted, broken)) in noted {
            if let Err(error) = self.write_down_of(tenant, &wanted, &broken).await {
                tracing::warn!(%tenant, %error, "schedules could not be written down");
                self.registry.changed.0.tenants.lock().entry(tenant).or_insert((wanted, broken));
            }
        }
    }

    async fn write_down_of(&self, tenant: TenantId, wanted: &[Wanted], broken: &[String]) -> Result<()> {
        let control = self.registry.tenants.control();
        let known = schedules::of(control, tenant).await?;
        // Nearly always nothing has changed.
        let same = |known: &Stored| {
            broken.contains(&known.key.toolkit)
                || wanted.iter().any(|wanted| {
                    (&wanted.toolkit, &wanted.name, &wanted.expression)
                        == (&known.key.toolkit, &known.key.name, &known.expression)
                })
        };
        let count = known.iter().filter(|known| !broken.contains(&known.key.toolkit)).count();
        if count == wanted.len() && known.iter().all(same) {
            return Ok(());
        }
        Ok(schedules::keep(control, tenant, wanted.to_vec(), broken.to_vec()).await?)
    }

    /// Claims what is due and begins it, for as long as there is room.
    async fn run_due(self: &Arc<Self>, running: &mut JoinSet<()>, turns: &Turns) -> Result<()> {
        let control = self.registry.tenants.control();
        loop {
            let room = turns.left();
            if room == 0 {
                return Ok(());
            }
            let batch = schedules::due(control, kernel::time::now(), &turns.full(), room as u64).await?;
            let whole = batch.len() == room;
            for due in batch {
                let Some(turn) = turns.take(due.key.tenant) else { continue };
                // Nothing that a tenant's database has a say in happens before the claim, or outside of its own task.
                let now = kernel::time::now();
                let until = later(now, PUT_OFF)?;
                if schedules::claim(control, &due, now, until).await? {
                    let (service, claimed) = (Arc::clone(self), Claimed { due, until, _turn: turn });
                    running.spawn(async move { service.look_up_and_run(claimed).await });
                }
            }
            if !whole {
                return Ok(());
            }
        }
    }

    /// Runs what was claimed. What cannot run now is due again when the claim has run out.
    async fn look_up_and_run(&self, mut claimed: Claimed) {
        let key = claimed.due.key.clone();
        let found = match tokio::time::timeout(LOOK_UP, self.look_up(&claimed.due)).await {
            Ok(found) => found,
            Err(_) => Err(Error::plain(Reason::Timeout)),
        };
        let (tenant, toolkit, index) = match found {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(tenant = %key.tenant, schedule = key.name, %error, "a schedule is put off");
                return;
            }
        };
        match self.keep_claim(&mut claimed, toolkit.schedules[index].timeout + GRACE).await {
            Ok(true) => self.run_claimed(&tenant, &toolkit, index, &claimed).await,
            Ok(false) => tracing::warn!(tenant = tenant.name, schedule = key.name, "a claim was lost before its run"),
            Err(error) => tracing::warn!(tenant = tenant.name, schedule = key.name, %error, "a schedule is put off"),
        }
    }

    /// Keeps a claim for so long from now on.
    async fn keep_claim(&self, claimed: &mut Claimed, span: Duration) -> Result<bool> {
        let until = later(kernel::time::now(), span)?;
        let control = self.registry.tenants.control();
        let kept = schedules::keep_claim(control, &claimed.due, claimed.until, until).await?;
        claimed.until = until;
        Ok(kept)
    }

    /// What a schedule is about; none where it cannot run now. Forgets those of tenants that are gone.
    async fn look_up(&self, due: &Stored) -> Result<Option<(Arc<Tenant>, Arc<Toolkit>, usize)>> {
        let Some(tenant) = self.registry.tenants.by_id(due.key.tenant).await? else {
            schedules::forget(self.registry.tenants.control(), due.key.tenant).await?;
            return Ok(None);
        };
        if tenant.status != TenantStatus::Active {
            return Ok(None);
        }
        let terms = self.registry.terms(&tenant).await?;
        let Some(toolkit) = terms.toolkit(&due.key.toolkit).cloned() else { return Ok(None) };
        let same = |schedule: &Schedule| schedule.name == due.key.name && schedule.rhythm.text() == due.expression;
        Ok(toolkit.schedules.iter().position(same).map(|index| (tenant, toolkit, index)))
    }

    async fn run_claimed(&self, tenant: &Arc<Tenant>, toolkit: &Toolkit, index: usize, claimed: &Claimed) {
        let schedule = &toolkit.schedules[index];
        let (begun, watch, request) = (kernel::time::now(), Instant::now(), RequestId::now());
        let run = self.run_schedule(tenant, toolkit, schedule, request);
        let outcome = match tokio::time::timeout(schedule.timeout, run).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::plain(Reason::Timeout)),
        };
        let word = kernel::error::outcome_word(&outcome);
        let duration_ms = watch.elapsed().as_secs_f64() * 1_000.0;
        if let Err(error) = &outcome {
            tracing::error!(
                tenant = tenant.name, toolkit = toolkit.file.name, schedule = schedule.name, %error, request_id = %request,
                "a scheduled run failed",
            );
        }
        tracing::info!(
            target: "audit", action = "schedule", outcome = word, tenant = tenant.name, toolkit = toolkit.file.name,
            schedule = schedule.name, duration_ms, request_id = %request,
        );
        // However many runs were missed, the next is in the future.
        let Some(next) = schedule.rhythm.next(kernel::time::now()) else { return };
        let control = self.registry.tenants.control();
        match schedules::finish(control, &claimed.due, claimed.until, begun, word, next).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(tenant = tenant.name, schedule = schedule.name, "a run outlived its claim"),
            Err(error) => tracing::warn!(tenant = tenant.name, %error, "what became of a run was not written down"),
        }
    }

    async fn run_schedule(
        &self,
        tenant: &Arc<Tenant>,
        toolkit: &Toolkit,
        schedule: &Schedule,
        request: RequestId,
    ) -> Result<()> {
        let name = toolkit.acting.name.clone();
        let principal = Arc::new(Principal {
            id: Uuid::nil(),
            number: 0,
            username: name.clone(),
            email: None,
            name,
            group: Arc::clone(&toolkit.acting),
            toolkit_overrides: Arc::default(),
            credential: Credential::Session(Uuid::nil()),
        });
        let context = Context::new(&principal, None, request, Map::new());
        let caller = Authenticated { tenant: Arc::clone(tenant), principal };
        let ran = internal::run(&*self.data, &caller, request, &schedule.steps, &context).await?;
        if let Some(warning) = ran.warning {
            let (tenant, toolkit, schedule) = (&*tenant.name, &*toolkit.file.name, &*schedule.name);
            tracing::warn!(tenant, toolkit, schedule, warning, request_id = %request, "a scheduled run left something out");
        }
        Ok(())
    }
}

fn later(now: Timestamp, span: Duration) -> Result<Timestamp> {
    now.checked_add(span).map_err(Error::internal)
}
