//! How one request makes the whole server begin anew, without a connection being refused.

use std::time::Duration;

use crate::{BoxFuture, Error, Reason, Result};

/// When a restart comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartKind {
    /// Once nobody has asked anything for a while.
    Graceful,
    /// At once.
    Forced,
}

impl RestartKind {
    /// The word for it, in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Graceful => "graceful",
            Self::Forced => "forced",
        }
    }
}

/// A restart that will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarting {
    /// Time without a request that it waits for.
    pub idle: Duration,
    /// Time after which it comes at the latest.
    pub ceiling: Duration,
    /// The restart that was pending and that this one replaces.
    pub replaced: Option<RestartKind>,
}

/// What makes a restart that was checked come. It cannot fail.
pub type Schedule = Box<dyn FnOnce() -> Restarting + Send>;

/// Begins the program anew. Whoever answers `POST /reload` asks, the program answers.
pub trait Restart: Send + Sync {
    /// Checks that the program could start, as it is and as it is configured now, without changing anything.
    ///
    /// Errors: 400 `field_invalid` where it is a part of another program; 500 `reload_failed`, which names file, line
    /// and key.
    fn prepare(&self, kind: RestartKind) -> BoxFuture<'_, Result<Schedule>>;
}

/// A program that cannot begin anew by itself, since it is a part of another one.
pub struct NoRestart;

impl Restart for NoRestart {
    fn prepare(&self, _: RestartKind) -> BoxFuture<'_, Result<Schedule>> {
        let message = "This server is a part of another program, which must restart it; reload without";
        Box::pin(async move { Err(Error::new(Reason::FieldInvalid, message).at("restart")) })
    }
}
