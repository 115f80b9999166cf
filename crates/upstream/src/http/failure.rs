//! How a call of a service fails, and what the caller is told.

use std::error::Error as Cause;

use http::StatusCode;
use kernel::{ByteSize, Error, Reason, Span};

type BoxError = Box<dyn Cause + Send + Sync>;

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// There was no connection, so that the service has seen nothing of the call.
    #[error("The service behind the endpoint cannot be reached")]
    Unreachable(#[source] BoxError),
    /// There was no connection in time.
    #[error("The service behind the endpoint cannot be reached within {0}")]
    ConnectTimeout(Span),
    /// The connection broke off.
    #[error("The service behind the endpoint broke off")]
    Broken(#[source] BoxError),
    /// What it sent is not HTTP.
    #[error("The service behind the endpoint does not answer with valid HTTP")]
    NotHttp(#[source] BoxError),
    /// It took too long.
    #[error("The service behind the endpoint did not answer within {0}")]
    Late(Span),
    /// It fell silent in the midst of its answer.
    #[error("The service behind the endpoint fell silent for {0}")]
    Silent(Span),
    /// It answered with a status that it must not.
    #[error("The service behind the endpoint answered with status {0}")]
    Status(StatusCode),
    /// Its answer is too large.
    #[error("The service behind the endpoint answered with more than {0}")]
    TooLarge(ByteSize),
    /// Its answer is not JSON.
    #[error("The service behind the endpoint did not answer with valid JSON")]
    NotJson(#[source] BoxError),
    /// Its answer nests too deeply.
    #[error("The service behind the endpoint answered with JSON of more than {0} levels")]
    TooDeep(usize),
}

impl Failure {
    /// What a request failed with before its answer began.
    pub(super) fn of_request(error: hyper_util::client::legacy::Error) -> Self {
        if error.is_connect() {
            return Self::Unreachable(error.into());
        }
        let hyper = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
        if hyper.is_some_and(hyper::Error::is_parse) { Self::NotHttp(error.into()) } else { Self::Broken(error.into()) }
    }

    /// What an answer failed with after it had begun.
    pub(super) fn of_body(error: hyper::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidInput};
        let kind = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
        if matches!(kind, Some(InvalidData | InvalidInput)) {
            Self::NotHttp(error.into())
        } else {
            Self::Broken(error.into())
        }
    }

    /// Whether it says that the service is not well, rather than that it answered wrongly.
    pub(super) fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::ConnectTimeout(_) | Self::Broken(_) | Self::NotHttp(_) | Self::Late(_)
        )
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Unreachable(_) | Self::Broken(_) => Reason::UpstreamUnavailable,
            Self::ConnectTimeout(_) | Self::Late(_) | Self::Silent(_) => Reason::UpstreamTimeout,
            Self::NotHttp(_) | Self::Status(_) | Self::TooLarge(_) | Self::NotJson(_) | Self::TooDeep(_) => {
                Reason::UpstreamInvalid
            }
        }
    }

    /// The error that the caller sees; only the log learns of `host` and the causes.
    pub(super) fn told(&self, host: &str) -> Error {
        let causes = std::iter::successors(self.source(), |cause: &&(dyn Cause + 'static)| (*cause).source());
        let told = causes.fold(host.to_owned(), |text, cause| format!("{text}: {cause}"));
        Error::new(self.reason(), self.to_string()).because(told)
    }
}
