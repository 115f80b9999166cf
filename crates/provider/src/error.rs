//! What goes wrong with a provider, and whose fault it is.

use kernel::Reason;

/// The result of anything that asks a provider.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a provider was of no help. The texts are for the log; they hold no tokens, codes or secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider refused what the caller brought, or its answer does not belong to the caller's attempt.
    #[error("the attempt was refused: {0}")]
    Refused(String),
    /// A foreign token is not genuine, is for somebody else, or has expired.
    #[error("the foreign token is no good: {0}")]
    TokenInvalid(String),
    /// The provider cannot be reached, is too slow, or does not answer as it must.
    #[error("the provider is of no use: {0}")]
    Unavailable(String),
    /// The provider cannot be asked for this.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        let (reason, message) = match &error {
            Error::Refused(_) => (
                Reason::LinkRefused,
                "The provider refused the attempt, or it does not belong to this log-in; begin again",
            ),
            Error::TokenInvalid(_) => {
                (Reason::ForeignTokenInvalid, "The issuer does not vouch for this token; get a new one")
            }
            Error::Unavailable(_) => {
                (Reason::ProviderUnavailable, "The provider cannot be reached or answers wrongly; try again later")
            }
            Error::Unsupported(message) => (Reason::ProviderUnknown, *message),
        };
        Self::new(reason, message).because(error)
    }
}

pub(crate) fn refused<T>(cause: impl Into<String>) -> Result<T> {
    Err(Error::Refused(cause.into()))
}

pub(crate) fn unavailable(cause: impl Into<String>) -> Error {
    Error::Unavailable(cause.into())
}

/// Foreign text for the log: no control characters, and not much of it.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
