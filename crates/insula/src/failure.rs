//! What a command fails with, and the exit code that tells scripts.

use kernel::Reason;

use crate::config::Mistakes;

/// The result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration has mistakes.
    #[error(transparent)]
    Configuration(#[from] Mistakes),
    /// The command was not given what it needs; says what to do.
    #[error("{0}")]
    Usage(String),
    /// Something that was asked for does not exist.
    #[error("{0}")]
    Missing(String),
    /// A part of Insula refused or failed.
    #[error(transparent)]
    Refused(#[from] kernel::Error),
    /// A file or a socket failed; says which.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
    /// Something else went wrong.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// 1 for a failure, 2 for wrong usage or configuration, 3 where something does not exist, 4 for a conflict.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Usage(_) => 2,
            Self::Missing(_) => 3,
            Self::Refused(error) => match error.reason {
                Reason::UnknownTable | Reason::UnknownColumn => 3,
                reason => match reason.status() {
                    400 | 422 => 2,
                    404 => 3,
                    409 => 4,
                    _ => 1,
                },
            },
            Self::Io(..) | Self::Other(_) => 1,
        }
    }

    /// The stable word of the reason, where there is one.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Refused(error) => Some(error.reason.word()),
            _ => None,
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            // Whoever types commands may know the files that a migration is about.
            store::Error::Migration(message) => Self::Other(message),
            other => Self::Refused(other.into()),
        }
    }
}

/// Names the file or socket in an error of the system.
pub(crate) fn io(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::Io(what.to_string(), error)
}
