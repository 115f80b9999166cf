//! Sessions that are alive: what this process knows of them, and for how long it believes it.
//!
//! A session is read with its user and group and believed for [`BELIEVED`]. Its activity is kept in memory and written
//! in batches. What ends here is dead here at once; other processes notice within [`BELIEVED`].

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use kernel::{
    Credential, Error, Group, Principal, Reason, Result, Tenant, TenantId, time::Timestamp, turnstile::Turnstile,
};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use store::Tenants;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    IdentityConfig, UserStatus,
    settings::Settings,
    tables::sessions::{self, Found},
    tokens::{Verified, invalid},
};

/// How long this process believes what it read of a session: what ends elsewhere is to be known here within five seconds,
/// the reading included.
pub(crate) const BELIEVED: Duration = Duration::from_secs(3);
/// How long after a renewal the tokens before it are good: for two tabs at once.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// Time that one tenant's database gets to write down what was done.
pub(crate) const WRITING: Duration = Duration::from_secs(3);
/// The longest rest between two tenants in a flush without haste.
const REST: Duration = Duration::from_millis(5);
const REMEMBERED: usize = 50_000;
const GROUPS: usize = 50_000;

/// How long sessions live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    pub(crate) timeout_minutes: u64,
    pub(crate) refresh: bool,
    pub(crate) longest: Duration,
}

impl Lifetimes {
    pub(crate) fn of(config: &IdentityConfig, group: &Group) -> Self {
        let timeout = group.session_timeout_minutes.filter(|minutes| *minutes > 0);
        Self {
            timeout_minutes: timeout.unwrap_or(config.session_timeout_minutes.get().into()),
            refresh: config.refresh_session_on_activity,
            longest: config.session_max_lifetime.0,
        }
    }

    /// The moment at which a session ends that is used no more.
    pub(crate) fn end(&self, begun: Timestamp, last_accessed: Timestamp) -> Timestamp {
        let from = if self.refresh { last_accessed } else { begun };
        let timeout = Duration::from_secs(self.timeout_minutes.saturating_mul(60));
        after(from, timeout).min(self.last(begun))
    }

    /// The moment at which a session ends in any case, unless it is renewed.
    pub(crate) fn last(&self, begun: Timestamp) -> Timestamp {
        after(begun, self.longest)
    }
}

/// A moment some time later.
pub(crate) fn after(moment: Timestamp, span: Duration) -> Timestamp {
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// A session that was alive when it was read.
pub(crate) struct Session {
    pub(crate) principal: Arc<Principal>,
    pub(crate) created_at: Timestamp,
    pub(crate) lifetimes: Lifetimes,
    /// When its generation began.
    begun: Timestamp,
    generation: i64,
    tenant: TenantId,
    read: Instant,
    activity: Arc<Activity>,
}

impl Session {
    pub(crate) fn last_accessed(&self) -> Timestamp {
        self.activity.last_accessed()
    }

    /// The moment at which it ends if it is used no more.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.lifetimes.end(self.begun, self.last_accessed())
    }

    /// The moment at which it ends in any case, unless it is renewed.
    pub(crate) fn last(&self) -> Timestamp {
        self.lifetimes.last(self.begun)
    }

    /// Whether a token of a generation is good; one of none lives as long as the session.
    fn takes(&self, generation: Option<i64>, now: Timestamp) -> bool {
        let Some(generation) = generation else { return true };
        generation == self.generation
            || (self.generation > 0 && generation == self.generation - 1 && now < after(self.begun, GRACE))
    }
}

/// When a session was last used, and whether the database knows.
struct Activity {
    /// Unix microseconds.
    last_accessed: AtomicI64,
    unwritten: AtomicBool,
    tenant: Arc<Tenant>,
    /// When the generation began, and which it is.
    begun: Timestamp,
    generation: i64,
    lifetimes: Lifetimes,
}

impl Activity {
    fn last_accessed(&self) -> Timestamp {
        Timestamp::from_microsecond(self.last_accessed.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

/// All sessions that this process knows of.
pub(crate) struct Sessions {
    tenants: Arc<Tenants>,
    config: Arc<IdentityConfig>,
    settings: Arc<Settings>,
    alive: Cache<Uuid, Arc<Session>>,
    /// Sessions that ended here. Who reads a session while it ends finds it here afterwards.
    ended: Cache<Uuid, ()>,
    groups: Cache<(TenantId, i64), Arc<Group>>,
    reading: Turnstile<Uuid>,
    /// Used since the last flush. No more than there are sessions in use.
    unwritten: Mutex<HashMap<Uuid, Arc<Activity>>>,
    /// Since when tenants have activity that is not written.
    waiting: Mutex<HashMap<TenantId, Instant>>,
    /// Tenants with sessions in use since the last sweep.
    touched: Mutex<HashMap<TenantId, Arc<Tenant>>>,
}

impl Sessions {
    pub(crate) fn new(tenants: Arc<Tenants>, config: Arc<IdentityConfig>, settings: Arc<Settings>) -> Self {
        Self {
            tenants,
            config,
            settings,
            alive: Cache::new(REMEMBERED),
            ended: Cache::new(REMEMBERED),
            groups: Cache::new(GROUPS),
            reading: Turnstile::new(),
            unwritten: Mutex::default(),
            waiting: Mutex::default(),
            touched: Mutex::default(),
        }
    }

    /// The session of a verified token, which this request keeps alive. Errors: 401 `session_invalid`, 503.
    pub(crate) async fn enter(&self, tenant: &Arc<Tenant>, token: &Verified, now: Timestamp) -> Result<Arc<Session>> {
        let session = match self.believed(tenant.id, token) {
            Some(session) => session,
            None => self.read(tenant, token).await?,
        };
        self.admit(session, token, now).ok_or_else(invalid)
    }

    /// The same where the session was read a moment ago; none where it was not, or where it does not take the token.
    pub(crate) fn enter_at_once(&self, tenant: &Tenant, token: &Verified, now: Timestamp) -> Option<Arc<Session>> {
        self.admit(self.believed(tenant.id, token)?, token, now)
    }

    /// A session that takes the token, kept alive by it.
    fn admit(&self, session: Arc<Session>, token: &Verified, now: Timestamp) -> Option<Arc<Session>> {
        if session.principal.id != token.user || !session.takes(token.generation, now) || now >= session.expires_at() {
            return None;
        }
        if session.lifetimes.refresh {
            self.touch(token.id, &session.activity, now);
        }
        Some(session)
    }

    /// When a session was last used and when it ends, where this process knows more than the database.
    pub(crate) fn known(&self, id: Uuid) -> Option<(Timestamp, Timestamp)> {
        self.alive.get(&id).map(|session| (session.last_accessed(), session.expires_at()))
    }

    /// A session that [`Self::enter`] has let in a moment ago. Errors: 401 `session_invalid`, 503.
    pub(crate) async fn current(&self, tenant: &Arc<Tenant>, id: Uuid) -> Result<Arc<Session>> {
        if let Some(session) = self.alive.get(&id) {
            return Ok(session);
        }
        // There was no room for it.
        let open = self.tenants.open(tenant).await?;
        let found = sessions::find(&open.system, id).await?.ok_or_else(invalid)?;
        self.assemble(tenant, id, found, Instant::now()).await
    }

    /// What is known of a token's session, unless the token tells that it was renewed elsewhere.
    fn believed(&self, tenant: TenantId, token: &Verified) -> Option<Arc<Session>> {
        self.alive.get(&token.id).filter(|session| {
            let renewed = token.generation.is_some_and(|generation| generation > session.generation);
            session.tenant == tenant && !renewed && session.read.elapsed() < BELIEVED
        })
    }

    /// Reads a session anew; many requests of one session at once read it once.
    async fn read(&self, tenant: &Arc<Tenant>, token: &Verified) -> Result<Arc<Session>> {
        let id = token.id;
        if self.ended.contains_key(&id) {
            return Err(invalid());
        }
        let _pass = self.reading.enter(id).await;
        if let Some(session) = self.believed(tenant.id, token) {
            return Ok(session);
        }
        let read = Instant::now();
        let open = self.tenants.open(tenant).await?;
        let found = sessions::find(&open.system, id).await?;
        let found = found.filter(|found| found.status == UserStatus::Active);
        let Some(found) = found else {
            self.alive.remove(&id);
            return Err(invalid());
        };
        let assembled = self.assemble(tenant, id, found, read).await;
        let session = assembled.inspect_err(|_| drop(self.alive.remove(&id)))?;
        self.alive.insert(id, Arc::clone(&session));
        // In this order and the other way round in `end`, so that one of the two removes it.
        if self.ended.contains_key(&id) {
            self.alive.remove(&id);
            return Err(invalid());
        }
        self.touched.lock().entry(tenant.id).or_insert_with(|| Arc::clone(tenant));
        Ok(session)
    }

    async fn assemble(&self, tenant: &Arc<Tenant>, id: Uuid, found: Found, read: Instant) -> Result<Arc<Session>> {
        let begun = found.begun();
        let group = self.same_group(tenant.id, found.group);
        let lifetimes = Lifetimes::of(&*self.settings.of(tenant).await?, &group);
        let pending = self.unwritten.lock().get(&id).cloned();
        // What is in the database decides, unless this process knows of later activity that is not written yet.
        let later = pending.map(|activity| activity.last_accessed()).filter(|later| *later > found.last_accessed);
        if later.is_none() && kernel::time::now() >= found.expires_at {
            return Err(invalid());
        }
        let activity = Activity {
            last_accessed: AtomicI64::new(later.unwrap_or(found.last_accessed).as_microsecond()),
            unwritten: AtomicBool::new(false),
            tenant: Arc::clone(tenant),
            begun,
            generation: found.generation,
            lifetimes,
        };
        let principal = Principal {
            id: found.user,
            number: found.number,
            username: found.username,
            email: found.email,
            name: found.name,
            group,
            toolkit_overrides: found.toolkit_overrides,
            credential: Credential::Session(id),
        };
        Ok(Arc::new(Session {
            principal: Arc::new(principal),
            created_at: found.created_at,
            lifetimes,
            begun,
            generation: found.generation,
            tenant: tenant.id,
            read,
            activity: Arc::new(activity),
        }))
    }

    /// One value for all members of a group as long as it does not change.
    pub(crate) fn same_group(&self, tenant: TenantId, group: Group) -> Arc<Group> {
        if let Some(known) = self.groups.get(&(tenant, group.id)).filter(|known| **known == group) {
            return known;
        }
        let group = Arc::new(group);
        self.groups.insert((tenant, group.id), Arc::clone(&group));
        group
    }

    fn touch(&self, id: Uuid, activity: &Arc<Activity>, now: Timestamp) {
        activity.last_accessed.fetch_max(now.as_microsecond(), Ordering::Relaxed);
        // Looked at first: whoever writes to it takes it from the other threads' caches.
        if !activity.unwritten.load(Ordering::Acquire) && !activity.unwritten.swap(true, Ordering::AcqRel) {
            self.unwritten.lock().insert(id, Arc::clone(activity));
        }
    }

    /// Makes sessions dead here at once. They are removed from the database already.
    pub(crate) fn end(&self, ids: &[Uuid]) {
        for id in ids {
            self.ended.insert(*id, ());
            self.alive.remove(id);
        }
        let mut unwritten = self.unwritten.lock();
        for id in ids {
            unwritten.remove(id);
        }
    }

    /// Makes this process read a session anew that was renewed. Its activity until then is written down already.
    pub(crate) fn renewed(&self, id: Uuid) {
        self.alive.remove(&id);
        self.unwritten.lock().remove(&id);
    }

    /// Makes this process read sessions anew whose user or group has changed.
    pub(crate) fn doubt(&self, changed: impl Fn(&Principal) -> bool) {
        self.alive.retain(|_, session| !changed(&session.principal));
    }

    /// Writes down when sessions were used. What cannot be written is tried again with the next flush.
    pub(crate) async fn flush(&self) {
        self.flush_of(|_| true, Duration::ZERO).await;
    }

    /// The same for the tenants for which it is time, without haste. What it has not written where it is cut off waits for the next flush.
    pub(crate) async fn flush_due(&self) {
        let waiting: HashMap<TenantId, Arc<Tenant>> =
            self.unwritten.lock().values().map(|it| (it.tenant.id, Arc::clone(&it.tenant))).collect();
        self.waiting.lock().retain(|id, _| waiting.contains_key(id));
        let mut due = HashSet::new();
        for tenant in waiting.into_values() {
            let since = *self.waiting.lock().entry(tenant.id).or_insert_with(Instant::now);
            if since.elapsed() >= self.interval(&tenant).await {
                self.waiting.lock().remove(&tenant.id);
                due.insert(tenant.id);
            }
        }
        if !due.is_empty() {
            self.flush_of(|tenant| due.contains(&tenant), self.config.session_flush_interval.0 / 2).await;
        }
    }

    /// Time between two writes of a tenant's activity.
    async fn interval(&self, tenant: &Tenant) -> Duration {
        let settings = self.settings.of(tenant).await;
        settings.map_or(self.config.session_flush_interval, |settings| settings.session_flush_interval).0
    }

    /// It rests between two tenants where that may take so much time, so that requests have the machine meanwhile.
    async fn flush_of(&self, wanted: impl Fn(TenantId) -> bool, within: Duration) {
        let unwritten: Vec<_> = self.unwritten.lock().iter().map(|(id, it)| (*id, Arc::clone(it))).collect();
        let unwritten: Vec<_> = unwritten.into_iter().filter(|(_, it)| wanted(it.tenant.id)).collect();
        let mut tenants: HashMap<TenantId, (Arc<Tenant>, Batches)> = HashMap::new();
        for (id, activity) in &unwritten {
            activity.unwritten.store(false, Ordering::Release);
            let (_, batches) =
                tenants.entry(activity.tenant.id).or_insert_with(|| (Arc::clone(&activity.tenant), Batches::default()));
            batches.add(*id, activity);
        }
        let rest = (within / tenants.len().max(1) as u32).min(REST);
        for (tenant, batches) in tenants.into_values() {
            let ids: Vec<_> = batches.sessions().collect();
            // One dead database must not hold up those of the others.
            let write = timeout(WRITING, self.write(&tenant, batches.into_activities()));
            let written = write.await.unwrap_or_else(|_elapsed| Err(Error::plain(Reason::Timeout)));
            match written {
                Ok(()) => self.written(&ids),
                Err(error) => tracing::warn!(tenant = tenant.name, %error, "the activity of sessions was not written"),
            }
            sleep(rest).await;
        }
    }

    async fn write(&self, tenant: &Tenant, activities: Vec<sessions::Activity>) -> Result<()> {
        let open = self.tenants.open(tenant).await?;
        Ok(sessions::write_activity(&open.system, activities).await?)
    }

    /// Forgets what is written, except what was used again meanwhile.
    fn written(&self, ids: &[Uuid]) {
        let mut unwritten = self.unwritten.lock();
        for id in ids {
            if unwritten.get(id).is_some_and(|activity| !activity.unwritten.load(Ordering::Acquire)) {
                unwritten.remove(id);
            }
        }
    }

    /// Removes sessions that ended some time ago, of tenants that were in use since the last sweep.
    pub(crate) async fn sweep(&self) {
        let touched = std::mem::take(&mut *self.touched.lock());
        for tenant in touched.into_values() {
            // Another process may know of activity that it has not written yet.
            let grace = self.interval(&tenant).await.saturating_mul(2) + Duration::from_mins(1);
            let before = kernel::time::now().checked_sub(grace).unwrap_or(Timestamp::MIN);
            let swept = async {
                let open = self.tenants.open(&tenant).await?;
                Ok::<_, kernel::Error>(sessions::sweep(&open.system, before).await?)
            };
            match swept.await {
                Ok(0) => {}
                Ok(count) => tracing::debug!(tenant = tenant.name, count, "expired sessions were removed"),
                Err(error) => tracing::warn!(tenant = tenant.name, %error, "expired sessions were not removed"),
            }
        }
    }
}

/// Sessions by the moment of their last use, to a few seconds, and by the moment of their end: so that a flush takes
/// few statements however many sessions there are.
#[derive(Default)]
struct Batches(HashMap<(i64, Timestamp, Option<i64>), Vec<Uuid>>);

impl Batches {
    const STEP: i64 = 5;

    fn add(&mut self, id: Uuid, activity: &Activity) {
        let second = activity.last_accessed().as_second();
        let step = second - second.rem_euclid(Self::STEP);
        let accessed = Timestamp::from_second(step).unwrap_or_default().max(activity.begun);
        let end = activity.lifetimes.end(activity.begun, accessed);
        let last = end == activity.lifetimes.last(activity.begun);
        let key = (accessed.as_microsecond(), end, last.then_some(activity.generation));
        self.0.entry(key).or_default().push(id);
    }

    fn sessions(&self) -> impl Iterator<Item = Uuid> {
        self.0.values().flatten().copied()
    }

    fn into_activities(self) -> Vec<sessions::Activity> {
        let activity = |((accessed, expires_at, generation), sessions)| sessions::Activity {
            last_accessed: Timestamp::from_microsecond(accessed).unwrap_or_default(),
            expires_at,
            generation,
            sessions,
        };
        self.0.into_iter().map(activity).collect()
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
