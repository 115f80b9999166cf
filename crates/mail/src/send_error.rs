//! Why a letter did not leave, and whether it may later.

use std::{io, path::PathBuf};

use kernel::Span;
use lettre::transport::smtp;

/// Why a letter was not delivered. What is shown holds nothing of the letter.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The mail server refused for good, or cannot do what this letter or the configuration needs.
    #[error("the mail server refuses: {0}")]
    Refused(#[source] smtp::Error),
    /// The mail server asks to come again.
    #[error("the mail server asks to come again: {0}")]
    Deferred(#[source] smtp::Error),
    /// There was no connection to the mail server, or it broke.
    #[error("the mail server cannot be reached: {0}")]
    Unreachable(#[source] smtp::Error),
    /// The mail server took too long.
    #[error("the mail server did not take the letter within {0}")]
    TimedOut(Span),
    /// The letter cannot be written.
    #[error("the letter cannot be written: {0}")]
    Unwritable(#[source] lettre::error::Error),
    /// The folder for letters cannot be written to.
    #[error("cannot write to {0}: {1}")]
    Folder(PathBuf, #[source] io::Error),
}

impl SendError {
    /// Whether the same letter would be refused again, so that a repeat is of no use.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unwritable(_))
    }
}

impl From<smtp::Error> for SendError {
    fn from(error: smtp::Error) -> Self {
        if error.is_permanent() || error.is_client() {
            Self::Refused(error)
        } else if error.is_transient() {
            Self::Deferred(error)
        } else {
            Self::Unreachable(error)
        }
    }
}

impl From<SendError> for kernel::Error {
    fn from(error: SendError) -> Self {
        Self::internal(error)
    }
}
