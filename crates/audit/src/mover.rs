//! How entries come from the files into the tables of their tenants, once each.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use kernel::{Reason, Result, Tenant, TenantDirectory, TenantId, time::Timestamp};
use parking_lot::Mutex;
use store::{OpenTenant, Tenants};

use crate::{
    AuditConfig, Spool,
    entry::Line,
    pace::Pace,
    segment::{self, Segment},
    table,
};

/// Tenants whose entries are stored at the same time.
const AT_ONCE: usize = 16;
/// Time that the database of one tenant may take.
const LONGEST: Duration = Duration::from_secs(10);
/// Pauses before a database that was down is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));
/// How often old entries of a tenant are removed.
const SWEEP: Duration = Duration::from_hours(1);
/// Transactions that one sweep of a tenant may take; what is left is for the next time entries come in.
const SWEEP_STEPS: usize = 50;
/// Age until which a tenant that nobody knows may still be one that another process is making.
const UNBORN: Duration = Duration::from_mins(1);

/// Moves entries.
pub(crate) struct Mover {
    tenants: Arc<Tenants>,
    spool: Arc<Spool>,
    config: AuditConfig,
    /// How fast closed tenants are opened.
    openings: Pace,
    /// Tenants whose database was down: when to try again, and the pause after that.
    down: Mutex<HashMap<TenantId, (Instant, Duration)>>,
    /// When old entries of a tenant were last removed.
    swept: Mutex<HashMap<TenantId, Instant>>,
}

/// Whose an entry is, as its line says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    Id(TenantId),
    Name(String),
    Installation,
}

/// What became of entries of one owner.
enum Delivered {
    /// They are stored, or nobody wants them.
    Done,
    /// The tenant's database is down.
    Down(TenantId, Vec<Line>),
    /// It is too early to tell whose they are.
    Unknown,
}

impl Mover {
    pub(crate) fn new(tenants: Arc<Tenants>, spool: Arc<Spool>, config: AuditConfig) -> Self {
        Self { tenants, spool, config, openings: Pace::default(), down: Mutex::default(), swept: Mutex::default() }
    }

    /// Moves whatever waits and is not another's. An error leaves what is not moved where it is.
    pub(crate) async fn run(&self) -> Result<()> {
        let spool = Arc::clone(&self.spool);
        let files = blocking(move || {
            spool.seal();
            segment::list(spool.folder())
        });
        let files = files.await?;
        if files.is_empty() {
            return Ok(());
        }
        for path in files {
            match self.move_file(path.clone()).await {
                // One that cannot be read, such as another system user's, holds up no other.
                Err(error) if error.reason == Reason::Internal => {
                    tracing::warn!(file = %path.display(), %error, "a file of the audit log could not be moved");
                }
                moved => moved?,
            }
        }
        let spool = Arc::clone(&self.spool);
        blocking(move || {
            spool.measure();
            Ok(())
        })
        .await
    }

    async fn move_file(&self, path: PathBuf) -> Result<()> {
        let waiting = segment::waiting_tenant(&path);
        if waiting.is_some_and(|tenant| self.is_down(tenant)) {
            return Ok(());
        }
        let mut kept = self.spool.take_kept(&path).map(Vec::into_iter);
        let Some(mut segment) = blocking(move || Segment::claim(path)).await? else { return Ok(()) };
        let mut whole = true;
        loop {
            let lines = if let Some(kept) = &mut kept {
                kept.by_ref().take(segment::BATCH).collect()
            } else {
                let (read, lines) = blocking(move || segment.next().map(|lines| (segment, lines))).await?;
                segment = read;
                lines
            };
            if lines.is_empty() {
                break;
            }
            for delivered in self.deliver_all(lines).await? {
                match delivered {
                    Delivered::Done => {}
                    Delivered::Down(tenant, _) if waiting == Some(tenant) => return Ok(()),
                    Delivered::Down(tenant, lines) => {
                        let spool = Arc::clone(&self.spool);
                        whole &= blocking(move || spool.put_aside(tenant, &lines)).await?;
                    }
                    Delivered::Unknown => whole = false,
                }
            }
        }
        if whole { blocking(move || segment.remove()).await } else { Ok(()) }
    }

    async fn deliver_all(&self, lines: Vec<Line>) -> Result<Vec<Delivered>> {
        let mut groups: HashMap<Owner, Vec<Line>> = HashMap::new();
        for line in lines {
            groups.entry(Owner::of(&line)).or_default().push(line);
        }
        let deliveries = stream::iter(groups).map(|(owner, lines)| self.deliver(owner, lines));
        let delivered: Vec<_> = deliveries.buffer_unordered(AT_ONCE).collect().await;
        delivered.into_iter().collect()
    }

    /// Stores entries of one owner. Errors: 503 where the control database is down.
    async fn deliver(&self, owner: Owner, lines: Vec<Line>) -> Result<Delivered> {
        let newest = lines.iter().map(|line| line.entry.ts).max().unwrap_or_default();
        let Some((tenant, since)) = self.tenant(&owner).await? else { return Ok(Self::nobody(&owner, newest)) };
        if self.is_down(tenant.id) {
            return Ok(Delivered::Down(tenant.id, lines));
        }
        // Entries from before a tenant was made are those of another that had its name.
        match tokio::time::timeout(LONGEST, self.store(&tenant, &lines, since)).await {
            Ok(Ok(())) => {
                self.down.lock().remove(&tenant.id);
                Ok(Delivered::Done)
            }
            Ok(Err(error)) if error.reason == Reason::NotFound => Ok(Self::nobody(&owner, newest)),
            Ok(Err(error)) => {
                tracing::warn!(tenant = tenant.name, %error, "entries of the audit log wait for a database");
                self.pause(tenant.id);
                Ok(Delivered::Down(tenant.id, lines))
            }
            Err(_) => {
                tracing::warn!(tenant = tenant.name, "entries of the audit log wait for a slow database");
                self.pause(tenant.id);
                Ok(Delivered::Down(tenant.id, lines))
            }
        }
    }

    /// A tenant, and the moment since which its name means it. What is about the whole installation is the first tenant's.
    async fn tenant(&self, owner: &Owner) -> Result<Option<(Arc<Tenant>, Timestamp)>> {
        match owner {
            Owner::Id(id) => Ok(self.tenants.by_id(*id).await?.map(|tenant| (tenant, Timestamp::MIN))),
            Owner::Installation => Ok(self.tenants.first().await?.map(|tenant| (tenant, Timestamp::MIN))),
            Owner::Name(name) => match self.tenants.by_name(name).await {
                Ok(record) => Ok(Some((Arc::clone(&record.tenant), record.created_at))),
                Err(error) if error.reason == Reason::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// A tenant that was deleted wants no entries; one that is being made will.
    fn nobody(owner: &Owner, newest: Timestamp) -> Delivered {
        let unborn = *owner != Owner::Installation && table::ago(UNBORN).is_none_or(|bound| newest > bound);
        if unborn { Delivered::Unknown } else { Delivered::Done }
    }

    async fn store(&self, tenant: &Tenant, lines: &[Line], since: Timestamp) -> Result<()> {
        // After a start, entries of thousands may wait. What is refused for want of room would be worse than slow requests.
        if !self.tenants.is_open(tenant.id) && !self.spool.is_crowded() {
            self.openings.turn().await;
        }
        let open = self.tenants.open(tenant).await?;
        table::add(&open.system, lines, since).await?;
        self.sweep(&open).await;
        Ok(())
    }

    /// Removes what is older than the retention, now and then.
    async fn sweep(&self, open: &OpenTenant) {
        let (retention, id) = (self.config.retention.0, open.tenant.id);
        let swept = self.swept.lock().get(&id).is_some_and(|at| at.elapsed() < SWEEP);
        let Some(bound) = table::ago(retention).filter(|_| !swept && !retention.is_zero()) else { return };
        for _ in 0..SWEEP_STEPS {
            match table::remove_before(&open.system, bound).await {
                Ok(true) => {}
                Ok(false) => {
                    let mut swept = self.swept.lock();
                    swept.retain(|_, at| at.elapsed() < SWEEP);
                    swept.insert(id, Instant::now());
                    return;
                }
                Err(error) => {
                    tracing::warn!(tenant = open.tenant.name, %error, "old entries of the audit log were not removed");
                    return;
                }
            }
        }
    }

    fn is_down(&self, tenant: TenantId) -> bool {
        self.down.lock().get(&tenant).is_some_and(|(again, _)| Instant::now() < *again)
    }

    fn pause(&self, tenant: TenantId) {
        let mut down = self.down.lock();
        let pause = down.get(&tenant).map_or(PAUSES.0, |(_, pause)| (*pause * 2).min(PAUSES.1));
        down.insert(tenant, (Instant::now() + pause, pause));
    }
}

impl Owner {
    fn of(line: &Line) -> Self {
        match (line.tenant_id, &line.tenant) {
            (Some(id), _) => Self::Id(id),
            (None, Some(name)) => Self::Name(name.clone()),
            (None, None) => Self::Installation,
        }
    }
}

/// Work on files, on a thread that may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(kernel::Error::internal)?;
    done.map_err(kernel::Error::internal)
}
