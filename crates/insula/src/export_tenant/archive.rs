//! An export as a tar archive that is sent while it is made.

use std::{
    fs::File,
    io::{self as std_io, BufWriter, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, stream};
use kernel::time;
use store::{OpenTenant, TenantRecord};
use tar::{Builder, Header};
use tokio::sync::{
    OwnedSemaphorePermit,
    mpsc::{self, Receiver, Sender, error::SendTimeoutError},
    oneshot,
};

use super::{Sink, on_blocking_thread, write};
use crate::{
    failure::{Result, io},
    transfer::Progress,
};

const PIECE: usize = 64 << 10;
/// Pieces that may wait for a slow receiver.
const PIECES: usize = 8;
/// Time for a receiver to take a piece.
const PATIENCE: Duration = Duration::from_secs(30);

/// The archive of a tenant as a body. Its files are made in `folder`. Where making it fails, the body breaks off instead
/// of ending; where the receiver goes away or takes nothing any more, so does the work. The permit is held until then.
pub(super) fn body(
    record: Arc<TenantRecord>,
    open: Arc<OpenTenant>,
    folder: PathBuf,
    permit: OwnedSemaphorePermit,
) -> Body {
    let (sender, receiver) = mpsc::channel(PIECES);
    let (done, whole) = oneshot::channel();
    tokio::spawn(async move {
        let pipe = Pipe { sender, patience: PATIENCE };
        let name = record.tenant.name.clone();
        let work = on_blocking_thread(async move {
            let mut archive = Archive { tar: Builder::new(BufWriter::with_capacity(PIECE, pipe)), folder };
            write(&record, &open, false, &mut archive, &mut Progress::silent()).await?;
            let mut out = archive.tar.into_inner().map_err(io("the archive"))?;
            out.flush().map_err(io("the archive"))
        });
        match work.await {
            Ok(()) => drop(done.send(())),
            Err(error) => tracing::warn!(tenant = name, %error, "an export broke off"),
        }
        drop(permit);
    });
    Body::from_stream(pieces(receiver, whole))
}

/// What is sent, and an error at the end unless it was whole.
fn pieces(receiver: Receiver<Bytes>, whole: oneshot::Receiver<()>) -> impl Stream<Item = std_io::Result<Bytes>> + Send {
    stream::unfold(Some((receiver, whole)), async |state| {
        let (mut receiver, whole) = state?;
        match receiver.recv().await {
            Some(piece) => Some((Ok(piece), Some((receiver, whole)))),
            None => whole.await.is_err().then(|| (Err(std_io::Error::other("the export failed")), None)),
        }
    })
}

/// Files of an archive. Each is written into the folder first: an archive tells a file's length before its content.
struct Archive {
    tar: Builder<BufWriter<Pipe>>,
    folder: PathBuf,
}

impl Sink for Archive {
    fn begin(&mut self, _: &str) -> Result<File> {
        // Tables may be larger than the memory in which the system's folder for temporary files often lies.
        tempfile::tempfile_in(&self.folder).map_err(io("a temporary file"))
    }

    fn finish(&mut self, name: &str, mut file: File) -> Result<()> {
        let length = file.seek(SeekFrom::End(0)).map_err(io(name))?;
        file.rewind().map_err(io(name))?;
        let mut header = Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(time::now().as_second()).unwrap_or_default());
        self.tar.append_data(&mut header, name, file).map_err(io("the archive"))
    }
}

/// The writing end of a body, on a thread that may block.
struct Pipe {
    sender: Sender<Bytes>,
    /// Time for the receiver to take a piece.
    patience: Duration,
}

impl Write for Pipe {
    fn write(&mut self, piece: &[u8]) -> std_io::Result<usize> {
        let sending = self.sender.send_timeout(Bytes::copy_from_slice(piece), self.patience);
        pollster::block_on(sending).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => std_io::Error::from(std_io::ErrorKind::TimedOut),
            SendTimeoutError::Closed(_) => std_io::Error::from(std_io::ErrorKind::BrokenPipe),
        })?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std_io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        time::Duration,
    };

    use futures_util::StreamExt;
    use tokio::sync::{mpsc, oneshot};

    use super::{PIECES, Pipe, pieces};

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_takes_nothing_any_more_is_not_waited_for() {
        let (sender, receiver) = mpsc::channel(PIECES);
        let mut pipe = Pipe { sender, patience: Duration::from_millis(50) };
        let writing = move || -> io::Result<()> {
            for _ in 0..=PIECES {
                pipe.write_all(b"piece")?;
            }
            Ok(())
        };
        let failed = tokio::task::spawn_blocking(writing).await.unwrap().unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        drop(receiver);
    }

    #[tokio::test]
    async fn a_body_that_is_not_whole_breaks_off() {
        for whole in [true, false] {
            let (sender, receiver) = mpsc::channel(PIECES);
            let (done, ended) = oneshot::channel();
            sender.send("piece".into()).await.unwrap();
            drop(sender);
            if whole {
                done.send(()).unwrap();
            } else {
                drop(done);
            }
            let told: Vec<_> = pieces(receiver, ended).map(|piece| piece.is_ok()).collect().await;
            assert_eq!(told, if whole { vec![true] } else { vec![true, false] });
        }
    }
}
