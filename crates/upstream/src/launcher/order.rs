//! What the server and the supervisor say to each other.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// What to run. It goes before the context as JSON, with its length before it in four bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) command: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    /// Bytes of context that follow.
    pub(crate) context: u64,
    pub(crate) limits: Limits,
}

/// What the program may use.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Milliseconds of processor time, of all its processes together.
    pub(crate) cpu: u64,
    /// Bytes: the address space of each process, and what all of them hold.
    pub(crate) memory: u64,
    /// Bytes of a file that it writes.
    pub(crate) file: u64,
    pub(crate) processes: u32,
    /// Open files of each process.
    pub(crate) open_files: u32,
}

/// How a run ended, in the supervisor's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// It ended by itself with a status.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// The supervisor ended it.
    Exceeded(Limit),
    /// It never ran.
    NotStarted(String),
}

/// A limit that the supervisor itself watches over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Limit {
    Processes,
    Cpu,
    Memory,
}

impl Order {
    /// The order as it is sent.
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(self)?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        Ok([length.to_le_bytes().as_slice(), &text].concat())
    }

    /// Reads an order, and nothing of what follows it.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut text = Vec::new();
        from.take(u32::from_le_bytes(length).into()).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}
