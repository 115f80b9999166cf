//! Whether the program could start, asked before a running server gives up its place.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use kernel::{Error, Reason, Result};
use serde::Deserialize;
use tokio::process::Command;

use super::program::Program;

/// Time for the answer. The program that prints the installation's key has ten seconds of it.
const LONGEST: Duration = Duration::from_secs(15);

/// What a program that could start answers to `serve --check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Next {
    listen: SocketAddr,
    admin_listen: Option<SocketAddr>,
}

/// What any program answers.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Good(Next),
    Mistaken { mistakes: Vec<Told> },
    Refused { refused: String },
}

/// A mistake in the configuration.
#[derive(Debug, Deserialize)]
struct Told {
    place: String,
    key: String,
    mistake: String,
    suggestion: Option<String>,
}

impl Next {
    /// Where it would listen.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        std::iter::once(self.listen).chain(self.admin_listen).collect()
    }
}

/// Asks the program. Errors: 500 `reload_failed`, which names file, line and key.
pub(super) async fn check(program: &Program) -> Result<Next> {
    let mut command = Command::new(program.path());
    command.args(program.arguments.iter().skip(1)).arg("--check").stdin(Stdio::null()).kill_on_drop(true);
    let refuse = |message: &str| Error::new(Reason::ReloadFailed, message);
    let output = match tokio::time::timeout(LONGEST, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            let message = "The server cannot restart: its program cannot be run";
            return Err(refuse(message).because(format!("{}: {error}", program.path().display())));
        }
        Err(_elapsed) => return Err(refuse("The server cannot restart: its program did not answer in time")),
    };
    match serde_json::from_slice(&output.stdout) {
        Ok(Answer::Good(next)) if output.status.success() => Ok(next),
        Ok(Answer::Mistaken { mistakes }) => {
            let mistakes: Vec<_> = mistakes.into_iter().map(Told::short).collect();
            Err(refuse(&format!("The server cannot restart: {}", mistakes.join("; "))))
        }
        Ok(Answer::Refused { refused }) => Err(refuse(&format!("The server cannot restart: {refused}"))),
        _ => {
            let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(refuse("The server cannot restart: its program would not start; the log tells why").because(told))
        }
    }
}

impl Told {
    /// The mistake without the folders of its file, which are none of a caller's business.
    fn short(self) -> String {
        let place = self.place.rsplit('/').next().unwrap_or_default();
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        let suggestion = self.suggestion.map(|suggestion| format!("; {suggestion}")).unwrap_or_default();
        format!("{place}: {key}{}{suggestion}", self.mistake)
    }
}
