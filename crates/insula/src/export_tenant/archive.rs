//! An export as a tar archive that is sent while it is made.

use std::{
    fs::File,
    io::{self as std_io, BufWriter, Seek, SeekFrom, Write},
    sync::Arc,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use kernel::time;
use store::{OpenTenant, TenantRecord};
use tar::{Builder, Header};
use tokio::sync::{
    OwnedSemaphorePermit,
    mpsc::{self, Sender},
};

use super::{Sink, on_blocking_thread, write};
use crate::{
    failure::{Result, io},
    transfer::Progress,
};

const PIECE: usize = 64 << 10;
/// Pieces that may wait for a slow receiver.
const PIECES: usize = 8;

/// The archive of a tenant as a body. Where making it fails, the body breaks off instead of ending; where the receiver
/// goes away, so does the work. The permit is held until then.
pub(super) fn body(record: Arc<TenantRecord>, open: Arc<OpenTenant>, permit: OwnedSemaphorePermit) -> Body {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let pipe = Pipe(sender.clone());
        let name = record.tenant.name.clone();
        let work = on_blocking_thread(async move {
            let mut archive = Archive(Builder::new(BufWriter::with_capacity(PIECE, pipe)));
            write(&record, &open, false, &mut archive, &mut Progress::silent()).await?;
            let mut out = archive.0.into_inner().map_err(io("the archive"))?;
            out.flush().map_err(io("the archive"))
        });
        if let Err(error) = work.await {
            tracing::warn!(tenant = name, %error, "an export broke off");
            let _ = sender.send(Err(std_io::Error::other("the export failed"))).await;
        }
        drop(permit);
    });
    let pieces = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<_>| {
        receiver.recv().await.map(|piece: std_io::Result<Bytes>| (piece, receiver))
    });
    Body::from_stream(pieces)
}

/// Files of an archive. Each is written beside it first: an archive tells a file's length before its content.
struct Archive(Builder<BufWriter<Pipe>>);

impl Sink for Archive {
    fn begin(&mut self, _: &str) -> Result<File> {
        tempfile::tempfile().map_err(io("a temporary file"))
    }

    fn finish(&mut self, name: &str, mut file: File) -> Result<()> {
        let length = file.seek(SeekFrom::End(0)).map_err(io(name))?;
        file.rewind().map_err(io(name))?;
        let mut header = Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(time::now().as_second()).unwrap_or_default());
        self.0.append_data(&mut header, name, file).map_err(io("the archive"))
    }
}

/// The writing end of a body, on a thread that may block.
struct Pipe(Sender<std_io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, piece: &[u8]) -> std_io::Result<usize> {
        let sent = pollster::block_on(self.0.send(Ok(Bytes::copy_from_slice(piece))));
        sent.map_err(|_| std_io::Error::from(std_io::ErrorKind::BrokenPipe))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std_io::Result<()> {
        Ok(())
    }
}
