//! A key that a command prints, such as the client of a secret manager.

use std::{process::Stdio, time::Duration};

use kernel::seal::SealingKey;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

use super::unfit;
use crate::failure::{Failure, Result};

/// Time that the command may take.
const TIME: Duration = Duration::from_secs(10);
/// Bytes that it may print: far more than a key has.
const PRINTED: u64 = 4_096;

/// Runs a program with its arguments, without a shell, and reads the key from its standard output. What it says on
/// standard error is let through.
pub(super) async fn run(command: &[String]) -> Result<SealingKey> {
    run_within(command, TIME).await
}

async fn run_within(command: &[String], time: Duration) -> Result<SealingKey> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::Usage("master_key_command is empty".to_owned()));
    };
    let failed = |how: String| Failure::Usage(format!("master_key_command: {program} {how}"));
    let mut starting = Command::new(program);
    starting.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut child = starting.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
    let read = tokio::time::timeout(time, output(&mut child)).await;
    // Neither it nor what it started shall linger.
    if !matches!(read, Ok(Ok(Some(_)))) {
        end(&mut child).await;
    }
    let text = match read {
        Err(_) => return Err(failed(format!("did not end within {} seconds", time.as_secs()))),
        Ok(Err(error)) => return Err(failed(format!("cannot be read: {error}"))),
        Ok(Ok(None)) => return Err(failed(format!("printed more than {PRINTED} bytes"))),
        Ok(Ok(Some((status, _)))) if !status.success() => return Err(failed(format!("failed with {status}"))),
        Ok(Ok(Some((_, text)))) => text,
    };
    let key = std::str::from_utf8(&text).ok().and_then(SealingKey::from_text);
    key.ok_or_else(|| unfit(format!("what {program} printed (master_key_command)")))
}

/// What it printed and how it ended; none where it printed too much.
async fn output(child: &mut Child) -> std::io::Result<Option<(std::process::ExitStatus, Vec<u8>)>> {
    let mut text = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(PRINTED + 1).read_to_end(&mut text).await?;
    }
    if text.len() as u64 > PRINTED {
        return Ok(None);
    }
    Ok(Some((child.wait().await?, text)))
}

async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself meanwhile.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use kernel::seal::SealingKey;

    use super::run_within;

    async fn told(script: &str) -> String {
        let command = ["sh", "-c", script].map(str::to_owned);
        run_within(&command, Duration::from_secs(1)).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_command_prints_the_key() {
        let key = SealingKey::generate();
        let command = ["echo".to_owned(), format!("  {}  ", key.to_text())];
        assert_eq!(run_within(&command, Duration::from_secs(10)).await.unwrap().to_text(), key.to_text());
    }

    #[tokio::test]
    async fn a_command_that_does_not_is_refused() {
        assert!(told("exit 3").await.contains("sh failed with exit status: 3"));
        assert!(told("echo secret-but-no-key").await.contains("does not hold a master key"));
        assert!(!told("echo secret-but-no-key").await.contains("secret-but"));
        assert!(told("yes").await.contains("more than 4096 bytes"));
        let missing = run_within(&["/nonexistent/program".to_owned()], Duration::from_secs(1)).await;
        assert!(missing.unwrap_err().to_string().contains("cannot be started"));
        assert!(run_within(&[], Duration::from_secs(1)).await.is_err());
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("late");
        let begun = Instant::now();
        let text = told(&format!("(sleep 2; touch {}) & sleep 60", file.display())).await;
        assert!(text.contains("did not end within 1 seconds"), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!file.exists(), "what the command started went on");
    }
}
