//! Identity: what it holds, and how it tells who is asking.

use std::{path::PathBuf, sync::Arc, time::Duration};

use kernel::{
    Authenticated, Authenticator, BoxFuture, Door, Error, Overrides, Presented, Reason, Result, RuleCheck, Secret,
    SettingsTable, Soon, Tenant, TenantDirectory, TenantId,
    reload::{Commit, Reload},
    settings::TenantFile,
    soon,
    turnstile::Turnstile,
};
use store::Tenants;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    IdentityConfig, anonymous,
    backoff::Backoff,
    keys::Keys,
    letters::Letters,
    links::{Journeys, Providers},
    password::Hasher,
    second_factor::Tries,
    sessions::Sessions,
    settings::Settings,
    tokens::{self, Tokens},
};

/// Time between two sweeps of ended sessions.
const SWEEP: Duration = Duration::from_mins(10);

/// How a new installation may be initialised over HTTP.
#[derive(Debug, Clone, Default)]
pub struct Bootstrap {
    /// The one-time token that lets callers in from elsewhere than loopback; none lets nobody.
    pub setup_token: Option<Secret>,
    /// The file that keeps the token; it is removed once the installation is initialised.
    pub setup_token_file: Option<PathBuf>,
    /// Further host names on which it is accepted, in lower case.
    pub hosts: Vec<String>,
}

/// What only one user of a tenant can have, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Claim {
    Username(String),
    Email(String),
    /// Oneself, who becomes somebody else.
    User(Uuid),
    /// The subject of an account at a provider.
    Account(String, String),
}

/// Users, groups, sessions and tokens of all tenants.
pub struct Identity {
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) config: Arc<IdentityConfig>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) hasher: Hasher,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) keys: Keys,
    pub(crate) backoff: Backoff,
    pub(crate) rules: Arc<dyn RuleCheck>,
    pub(crate) tries: Tries,
    pub(crate) anonymous: anonymous::Touched,
    /// What is being registered at this moment.
    pub(crate) registering: Turnstile<(TenantId, Claim)>,
    pub(crate) providers: Providers,
    /// Tenants with journeys to a provider since the last sweep.
    pub(crate) journeys: Journeys,
    /// Hashes of one-time tokens that are being spent at this moment.
    pub(crate) spending: Turnstile<String>,
    pub(crate) letters: Letters,
    /// Sessions that are being renewed at this moment.
    pub(crate) refreshing: Turnstile<Uuid>,
}

impl Identity {
    /// Identity over the tenants of an installation. It touches no database until it is asked. `rules` knows the grammar
    /// of groups' rules, `table` the settings that tenants keep in their databases.
    pub fn new(
        tenants: Arc<Tenants>,
        config: IdentityConfig,
        bootstrap: Bootstrap,
        rules: Arc<dyn RuleCheck>,
        table: Arc<dyn SettingsTable>,
    ) -> Arc<Self> {
        let config = Arc::new(config);
        let settings = Arc::new(Settings::new(Arc::clone(&config), table));
        Arc::new(Self {
            hasher: Hasher::new(&config),
            tokens: Tokens::new(Arc::clone(&tenants)),
            sessions: Sessions::new(Arc::clone(&tenants), Arc::clone(&config), Arc::clone(&settings)),
            keys: Keys::new(),
            backoff: Backoff::new(),
            tries: Tries::new(),
            anonymous: anonymous::Touched::default(),
            registering: Turnstile::new(),
            providers: Providers::new(),
            journeys: Journeys::default(),
            spending: Turnstile::new(),
            letters: Letters::new(Arc::clone(&tenants), Arc::clone(&config)),
            refreshing: Turnstile::new(),
            rules,
            bootstrap,
            settings,
            config,
            tenants,
        })
    }

    /// Writes down when sessions and keys were last used; to be called once more before the program ends.
    pub async fn flush(&self) {
        self.sessions.flush().await;
        self.keys.uses.flush(&self.tenants).await;
    }

    /// The work in the background: it writes down the sessions' activity, removes ended sessions and sends letters. Once
    /// `stop` is true it finishes what it is at and ends.
    pub fn job(self: &Arc<Self>, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + 'static {
        let (keeping, carrying) = (self.keep_sessions(stop.clone()), self.carry_letters(stop));
        async move {
            let ((), ()) = tokio::join!(keeping, carrying);
        }
    }

    fn keep_sessions(self: &Arc<Self>, mut stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send + 'static {
        let identity = Arc::clone(self);
        async move {
            let interval = identity.config.session_flush_interval.0;
            let (mut swept, mut flushed) = (tokio::time::Instant::now(), tokio::time::Instant::now());
            loop {
                // A tenant may have an interval of its own, of whole seconds.
                let pause = interval.clamp(Duration::from_millis(100), Duration::from_secs(1));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = told(&mut stop) => return,
                }
                tokio::select! {
                    () = identity.sessions.flush_due() => {}
                    () = told(&mut stop) => return,
                }
                if flushed.elapsed() >= interval {
                    identity.keys.uses.flush(&identity.tenants).await;
                    flushed = tokio::time::Instant::now();
                }
                if swept.elapsed() >= SWEEP {
                    identity.sessions.sweep().await;
                    identity.sweep_anonymous().await;
                    identity.sweep_journeys().await;
                    swept = tokio::time::Instant::now();
                }
            }
        }
    }

    /// The answer where nobody has to be asked: the token was verified before, and its session was read a moment ago.
    /// None where that is not so, or where anything speaks against it.
    fn at_once(&self, presented: &Presented<'_>) -> Option<Authenticated> {
        let Presented { host, token, door, .. } = *presented;
        let now = kernel::time::now();
        let verified = self.tokens.known(&tokens::hash(token), now)?;
        let of_session = matches!(door, Door::Api | Door::Assets) && verified.door == door;
        if !of_session || verified.tenant != host.tenant.id || host.tenant.require_active().is_err() {
            return None;
        }
        let session = self.sessions.enter_at_once(&host.tenant, &verified, now)?;
        Some(Authenticated { tenant: Arc::clone(&host.tenant), principal: Arc::clone(&session.principal) })
    }

    async fn find_out(&self, presented: Presented<'_>) -> Result<Authenticated> {
        if let Some(outcome) = self.enter_by_key(&presented).await {
            return outcome;
        }
        let Presented { host, token, .. } = presented;
        let hash = tokens::hash(token);
        let now = kernel::time::now();
        let known = self.tokens.known(&hash, now);
        let claimed = match &known {
            Some(verified) => verified.tenant,
            None => tokens::claimed_tenant(token)?,
        };
        let tenant = if claimed == host.tenant.id {
            Arc::clone(&host.tenant)
        } else if host.explicit {
            return Err(Error::plain(Reason::TenantMismatch));
        } else {
            self.tenants.by_id(claimed).await?.ok_or_else(tokens::invalid)?
        };
        tenant.require_active()?;
        let verified = match known {
            Some(verified) => verified,
            None => self.tokens.verify(&tenant, &*self.settings.of(&tenant).await?, token, hash).await?,
        };
        let principal = match verified.door {
            door if door != presented.door => return Err(tokens::invalid()),
            Door::Api | Door::Assets => Arc::clone(&self.sessions.enter(&tenant, &verified, now).await?.principal),
            Door::Webhooks => self.enter_by_webhook(&tenant, &verified, now).await?,
        };
        Ok(Authenticated { tenant, principal })
    }
}

/// Resolved once the work in the background shall stop. Where nobody can say so any more it goes on.
pub(crate) async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Authenticator for Identity {
    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> Soon<'a, Result<Authenticated>> {
        match self.at_once(&presented) {
            Some(known) => soon::now(Ok(known)),
            None => soon::later(self.find_out(presented)),
        }
    }
}

impl Reload for Identity {
    fn prepare<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Commit>> {
        Box::pin(self.settings.prepare(tenant))
    }
}

impl TenantFile for Identity {
    fn written<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<Overrides>> {
        Box::pin(self.settings.written(tenant))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("config", &self.config).finish_non_exhaustive()
    }
}
