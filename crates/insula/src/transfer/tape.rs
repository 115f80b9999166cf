//! A file that remembers what was read of it until it is told to let go, and hashes what it let go.

use std::{
    fmt::Write as _,
    io::{self, Read},
};

use sha2::{Digest, Sha256};

/// The most that may be read ahead: a longer row is refused.
const LIMIT: usize = 64 << 20;

/// Reads through and keeps a copy.
pub(super) struct Tape<R> {
    inner: R,
    /// The bytes from `start` on.
    kept: Vec<u8>,
    /// Where the kept bytes begin in the file.
    start: u64,
    hasher: Sha256,
}

impl<R: Read> Tape<R> {
    /// A tape from the beginning of a file up to a position, all of it let go.
    pub(super) fn wound(inner: R, position: u64) -> io::Result<Self> {
        let mut tape = Self { inner, kept: Vec::new(), start: 0, hasher: Sha256::new() };
        let mut buffer = vec![0; 64 << 10];
        while tape.start < position {
            let wanted = buffer.len().min((position - tape.start) as usize);
            let read = tape.inner.read(&mut buffer[..wanted])?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was"));
            }
            tape.hasher.update(&buffer[..read]);
            tape.start += read as u64;
        }
        Ok(tape)
    }

    /// The bytes between two positions that have not been let go.
    pub(super) fn between(&self, from: u64, to: u64) -> &[u8] {
        let index = |position: u64| position.saturating_sub(self.start) as usize;
        self.kept.get(index(from)..index(to)).unwrap_or_default()
    }

    /// Lets go of everything before a position.
    pub(super) fn let_go(&mut self, to: u64) {
        let count = (to.saturating_sub(self.start) as usize).min(self.kept.len());
        self.hasher.update(&self.kept[..count]);
        self.kept.drain(..count);
        self.start += count as u64;
    }

    /// The SHA-256 of what was let go, in hexadecimal.
    pub(super) fn hash(&self) -> String {
        self.hasher.clone().finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.kept.len() > LIMIT {
            return Err(io::Error::other("a row is longer than 64MB; is a closing quote missing?"));
        }
        let read = self.inner.read(buffer)?;
        self.kept.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}
