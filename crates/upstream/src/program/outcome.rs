//! What a run means for the caller.

use kernel::{Error, Reason, Result};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{config::ProgramConfig, run::Ran};
use crate::{
    heavy,
    launcher::{Limit, Verdict},
    levels::{MOST_LEVELS, levels},
};

/// Numbers of signals on Linux.
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

/// Turns what came of a run into an answer or an error, and tells the log what the program said.
pub(super) async fn judge(ran: Ran, config: &ProgramConfig, request_id: &str) -> Result<Box<RawValue>> {
    let program = config.command.first().map(String::as_str).unwrap_or_default();
    let failed = |message: String| Error::new(Reason::ProgramFailed, message);
    let (verdict, output, errors) = match ran {
        Ran::Ended { verdict, output, errors } => (verdict, output, errors),
        Ran::TooLong => {
            let message = format!("The program behind the endpoint did not end within {}", config.timeout);
            return Err(Error::new(Reason::UpstreamTimeout, message));
        }
        Ran::TooMuch => {
            return Err(failed(format!(
                "The program behind the endpoint printed more than {}",
                config.max_output_size
            )));
        }
        Ran::Failed(error) => {
            return Err(failed("The program behind the endpoint could not be run".to_owned()).because(error));
        }
    };
    let errors = String::from_utf8_lossy(&errors);
    if let Some(problem) = problem(&verdict, config) {
        let error = failed(format!("The program behind the endpoint {problem}"));
        tracing::warn!(request_id, program, stderr = %errors, "the program {problem}");
        return Err(match verdict {
            Verdict::NotStarted(cause) => error.because(cause),
            _ => error,
        });
    }
    if !errors.is_empty() {
        tracing::info!(request_id, program, stderr = %errors, "the program said something");
    }
    heavy::work(output.len(), move || read(output)).await?
}

/// What went wrong in the run, if anything.
fn problem(verdict: &Verdict, config: &ProgramConfig) -> Option<String> {
    let cpu = || format!("used more than {} of processor time", config.cpu_time);
    Some(match verdict {
        Verdict::Exited(0) => return None,
        Verdict::Exited(status) => format!("ended with status {status}"),
        Verdict::Exceeded(Limit::Cpu) | Verdict::Signalled(SIGXCPU) => cpu(),
        Verdict::Exceeded(Limit::Memory) => format!("used more than {} of memory", config.memory),
        Verdict::Exceeded(Limit::Processes) => format!("started more than {} processes", config.max_processes),
        Verdict::Signalled(SIGXFSZ) => format!("wrote a file of more than {}", config.max_file_size),
        Verdict::Signalled(signal) => format!("was ended by signal {signal}"),
        Verdict::NotStarted(_) => "cannot be started".to_owned(),
    })
}

/// What it printed: JSON, which is kept as the text that it is, or else text.
fn read(output: Vec<u8>) -> Result<Box<RawValue>> {
    let invalid = |problem: &str| {
        Error::new(Reason::UpstreamInvalid, format!("The program behind the endpoint printed what {problem}"))
    };
    let text = String::from_utf8(output).map_err(|_| invalid("is not UTF-8"))?;
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(_) if levels(&text) > MOST_LEVELS => Err(invalid(&format!("nests more than {MOST_LEVELS} levels deep"))),
        Ok(json) => Ok(json.to_owned()),
        Err(_) => to_raw_value(&json!({ "output": text })).map_err(Error::internal),
    }
}
