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

use super::Schedule;
use crate::{
    Service,
    context::Context,
    folder::Files,
    internal,
    tables::schedules::{self, GRACE, Stored, Wanted},
    toolkit::Toolkit,
};

/// Runs at once, of all tenants.
const AT_ONCE: usize = 16;
/// How often to look for what is due.
const LOOK: Duration = Duration::from_secs(1);
/// For so long a run is put off that cannot be done now: its tenant is suspended, or its toolkit is not known here.
const PUT_OFF: Duration = Duration::from_mins(1);

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

/// Who claimed a run, and until when.
struct Claimed {
    due: Stored,
    until: Timestamp,
}

impl Service {
    /// The work in the background: it writes down the schedules of toolkits that were read, and runs what is due. Once
    /// `stop` is true it begins nothing more and ends when what runs has ended.
    pub fn job(self: &Arc<Self>, mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + 'static {
        let service = Arc::clone(self);
        async move {
            let mut running = JoinSet::new();
            loop {
                service.write_down().await;
                if let Err(error) = service.run_due(&mut running).await {
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
    async fn run_due(self: &Arc<Self>, running: &mut JoinSet<()>) -> Result<()> {
        let control = self.registry.tenants.control();
        let room = AT_ONCE.saturating_sub(running.len());
        if room == 0 {
            return Ok(());
        }
        let now = kernel::time::now();
        for due in schedules::due(control, now, room as u64).await? {
            let later = |span: Duration| now.checked_add(span).map_err(Error::internal);
            let Some((tenant, toolkit, index)) = self.look_up(&due).await? else {
                schedules::claim(control, &due, now, later(PUT_OFF)?).await?;
                continue;
            };
            let until = later(toolkit.schedules[index].timeout + GRACE)?;
            if !schedules::claim(control, &due, now, until).await? {
                continue;
            }
            let (service, claimed) = (Arc::clone(self), Claimed { due, until });
            running.spawn(async move { service.run_claimed(&tenant, &toolkit, index, &claimed).await });
        }
        Ok(())
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
        let terms = match self.registry.terms(&tenant).await {
            Ok(terms) => terms,
            Err(error) => {
                tracing::warn!(tenant = tenant.name, %error, "a schedule is put off");
                return Ok(None);
            }
        };
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
        internal::run(&*self.data, &caller, request, &schedule.steps, &context).await.map(drop)
    }
}
