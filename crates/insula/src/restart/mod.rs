//! Beginning anew: the program is started again in the same process, with the same arguments and the same sockets.
//!
//! Nobody is refused: connections wait in the sockets until the new program accepts them. Nothing is given up before
//! the new program has said that it could start.

mod check;
mod program;

use std::{
    net::TcpListener,
    sync::{Arc, OnceLock},
    time::Duration,
};

use edge::{Activity, EdgeConfig};
use kernel::{
    BoxFuture, Error, Reason,
    restart::{Restart, RestartKind, Restarting, Schedule},
};
use tokio::{sync::watch, time::Instant};

use self::check::Next;
pub(crate) use self::program::{Program, SIGNAL, let_signal_through};
use crate::{
    failure::{Failure, Result},
    sockets::{Inherited, Sockets},
};

/// How often to look whether requests are still being answered.
const LOOK: Duration = Duration::from_millis(50);

/// What the system started: a program with its arguments, and the sockets that it was handed.
#[derive(Debug)]
pub struct Process {
    pub(crate) program: Program,
    pub(crate) sockets: Inherited,
}

impl Process {
    /// This one. It changes the environment: to be called before there are threads.
    pub fn this() -> Self {
        Self { sockets: Inherited::from_environment(), program: Program::this() }
    }
}

/// The restart that is pending, if any, and what it takes.
pub(crate) struct Restarts {
    idle: Duration,
    ceiling: Duration,
    /// None in a server that is a part of another program.
    means: OnceLock<Means>,
    pending: watch::Sender<Option<Plan>>,
}

struct Means {
    program: Program,
    sockets: Arc<Sockets>,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: RestartKind,
    /// When it comes although there are requests.
    latest: Instant,
    next: Next,
}

/// A restart whose time has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) kind: RestartKind,
    /// What was found out about the next program, where that was just now.
    pub(crate) next: Option<Next>,
}

impl Restarts {
    pub(crate) fn new(config: &EdgeConfig) -> Arc<Self> {
        let (idle, ceiling) = (config.restart_idle.0, config.restart_ceiling.0);
        Arc::new(Self { idle, ceiling, means: OnceLock::new(), pending: watch::Sender::new(None) })
    }

    /// From now on there are restarts.
    pub(crate) fn offer(&self, program: Program, sockets: Arc<Sockets>) {
        let _ = self.means.set(Means { program, sockets });
    }

    /// Waits until it is time for the restart that is pending, which then is no longer.
    pub(crate) async fn due(&self, activity: &Activity) -> Due {
        let mut plans = self.pending.subscribe();
        loop {
            let plan = *plans.borrow_and_update();
            tokio::select! {
                // The sender is ours.
                _ = plans.changed() => {}
                Plan { kind, next, .. } = self.time_of(plan, activity) => {
                    self.pending.send_replace(None);
                    return Due { kind, next: (kind == RestartKind::Forced).then_some(next) };
                }
            }
        }
    }

    async fn time_of(&self, plan: Option<Plan>, activity: &Activity) -> Plan {
        let Some(plan) = plan else { return std::future::pending().await };
        while plan.kind == RestartKind::Graceful && Instant::now() < plan.latest {
            let rest = match activity.idle() {
                Some(idle) if idle >= self.idle => break,
                Some(idle) => self.idle.saturating_sub(idle),
                None => LOOK,
            };
            tokio::time::sleep_until(plan.latest.min(Instant::now() + rest)).await;
        }
        plan
    }

    /// Asks whether the program could start now. Errors: those of [`Restart::prepare`].
    pub(crate) async fn check(&self) -> kernel::Result<Next> {
        let Means { program, sockets } = self.means()?;
        let next = check::check(program).await?;
        // An address that is taken shall be found out while somebody can be told.
        sockets.for_next(&next.addresses()).map_err(|failure| {
            Error::new(Reason::ReloadFailed, format!("The server cannot restart: {failure}")).because(failure)
        })?;
        Ok(next)
    }

    /// Starts the program in the place of this process. Only returns where that failed. To be called on the main
    /// thread.
    pub(crate) fn begin_anew(&self, next: &Next) -> Failure {
        let sockets = |means: &Means| -> Result<Vec<TcpListener>> { means.sockets.for_next(&next.addresses()) };
        match self.means().map_err(Failure::from).and_then(|means| Ok((means, sockets(means)?))) {
            Ok((means, sockets)) => Failure::Io("the program".to_owned(), means.program.replace_process(&sockets)),
            Err(failure) => failure,
        }
    }

    fn means(&self) -> kernel::Result<&Means> {
        let message = "This server is a part of another program and cannot restart";
        self.means.get().ok_or_else(|| Error::new(Reason::FieldInvalid, message).at("restart"))
    }
}

impl Restart for Restarts {
    fn prepare(&self, kind: RestartKind) -> BoxFuture<'_, kernel::Result<Schedule>> {
        Box::pin(async move {
            let next = self.check().await?;
            let (pending, ceiling) = (self.pending.clone(), self.ceiling);
            let idle = if kind == RestartKind::Forced { Duration::ZERO } else { self.idle };
            let schedule = move || {
                let now = Instant::now();
                let (mut replaced, mut latest) = (None, now + ceiling);
                pending.send_modify(|plan| {
                    // Whoever asks again and again must not put it off for ever.
                    latest = plan.map_or(latest, |plan| latest.min(plan.latest));
                    replaced = plan.map(|plan| plan.kind);
                    *plan = Some(Plan { kind, latest, next });
                });
                Restarting { idle, ceiling: latest.saturating_duration_since(now), replaced }
            };
            Ok(Box::new(schedule) as Schedule)
        })
    }
}
