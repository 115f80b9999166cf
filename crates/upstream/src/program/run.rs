//! One run: starts the launcher, talks with it, and waits until it is gone.

use std::{io, os::unix::net::UnixStream as StdStream, path::PathBuf, process::Stdio, time::Duration};

use bytes::Bytes;
use kernel::{ByteSize, Span};
use rustix::process::Pid;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    process::{Child, Command},
    sync::{OwnedSemaphorePermit, oneshot},
    time::{sleep, timeout},
};

use crate::launcher::{Order, SUBCOMMAND, Verdict, end_below};

/// What of a program's standard error is kept, in bytes.
const MOST_ERRORS: u64 = 64 << 10;

/// How long the launcher may take to end a program; it does so in 5 seconds itself.
const MOST_TO_END: Duration = Duration::from_secs(10);

/// A program that is to be run.
pub(super) struct Job {
    pub(super) order: Order,
    pub(super) context: Bytes,
    pub(super) launcher: PathBuf,
    pub(super) timeout: Span,
    pub(super) max_output: ByteSize,
    /// Given back when nothing is left of the program.
    pub(super) turn: OwnedSemaphorePermit,
}

/// What came of it.
pub(super) enum Ran {
    /// The launcher told how it ended.
    Ended {
        /// How.
        verdict: Verdict,
        /// All that it printed.
        output: Vec<u8>,
        /// The beginning of what it printed on its standard error.
        errors: Vec<u8>,
    },
    /// It printed too much and was ended.
    TooMuch,
    /// It took too long and was ended.
    TooLong,
    /// The launcher could not be started, or did not tell.
    Failed(io::Error),
}

impl Job {
    /// Runs the program and tells what came of it. When nobody listens any more it ends the program.
    pub(super) async fn go(self, mut tell: oneshot::Sender<Ran>) {
        let (mut child, server) = match self.start() {
            Ok(started) => started,
            Err(error) => {
                let _ = tell.send(Ran::Failed(error));
                return;
            }
        };
        let ran = tokio::select! {
            ran = self.talk(&mut child, server) => Some(ran),
            () = sleep(self.timeout.0) => Some(Ran::TooLong),
            () = tell.closed() => None,
        };
        // The socket is closed by now, so that the launcher ends the program. The caller need not wait for that.
        if let Some(ran) = ran {
            let _ = tell.send(ran);
        }
        end(child).await;
        drop(self.turn);
    }

    fn start(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        let mut command = Command::new(&self.launcher);
        command.arg(SUBCOMMAND).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok((command.spawn()?, ours))
    }

    async fn talk(&self, child: &mut Child, server: UnixStream) -> Ran {
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Ran::Failed(io::Error::other("the launcher has no output"));
        };
        let (reads, writes) = server.into_split();
        let told = tokio::try_join!(
            async { collect(output, self.max_output.0).await.map_err(Ran::Failed)?.ok_or(Ran::TooMuch) },
            async { begin(errors).await.map_err(Ran::Failed) },
            async { listen(reads).await.map_err(Ran::Failed) },
            async { Ok(self.send(writes).await) },
        );
        match told {
            Ok((output, errors, verdict, _writes)) => Ran::Ended { verdict, output, errors },
            Err(ran) => ran,
        }
    }

    /// Sends the order and the context. The socket stays open, for its end means that the program must end.
    async fn send(&self, mut to: OwnedWriteHalf) -> OwnedWriteHalf {
        // A launcher that reads no more has ended, and its verdict tells why.
        if let Ok(order) = self.order.to_bytes()
            && to.write_all(&order).await.is_ok()
        {
            let _ = to.write_all(&self.context).await;
        }
        to
    }
}

/// Reads to the end; none if it is longer than the limit.
async fn collect(from: impl AsyncRead + Unpin, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes).await?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Reads to the end and keeps the beginning.
async fn begin(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut from).take(MOST_ERRORS).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(bytes)
}

/// The launcher's verdict. A launcher that ends without having read the whole context resets the socket after it.
async fn listen(mut from: OwnedReadHalf) -> io::Result<Verdict> {
    let mut text = Vec::new();
    let end = from.read_to_end(&mut text).await;
    serde_json::from_slice(&text).map_err(|error| end.err().unwrap_or_else(|| error.into()))
}

/// Waits for the launcher. One that does not end was stopped by its program: then the server ends what it should have.
async fn end(mut child: Child) {
    if timeout(MOST_TO_END, child.wait()).await.is_ok() {
        return;
    }
    if let Some(launcher) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
        tracing::warn!("a launcher does not end; its program is ended without it");
        let _ = tokio::task::spawn_blocking(move || {
            // What was ended stays visible until its parent is gone too, so that the end cannot be seen from here.
            for _ in 0..100 {
                end_below(launcher);
                std::thread::sleep(Duration::from_millis(5));
            }
        })
        .await;
    }
    let _ = child.kill().await;
}
