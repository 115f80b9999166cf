//! What an operator writes about a program behind an endpoint.

use std::{collections::BTreeMap, path::PathBuf};

use kernel::{ByteSize, Span};
use serde::{Deserialize, Serialize};

/// A program behind an endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProgramConfig {
    /// The program with its absolute path, and its arguments. No shell reads them. Required.
    pub command: Vec<String>,
    /// The folder it runs in, an absolute path. Default: `/`.
    pub working_directory: Option<PathBuf>,
    /// Its whole environment. Default: empty.
    pub environment: BTreeMap<String, String>,
    /// How long it may take. Default: 30s.
    pub timeout: Span,
    /// How much processor time it may use together with its children. Default: 10s.
    pub cpu_time: Span,
    /// How much memory it may use: the address space of each process, and what all of them hold together. Default: 512MB.
    pub memory: ByteSize,
    /// How much it may print on its standard output. Default: 8MB.
    pub max_output_size: ByteSize,
    /// The largest file that it may write. Default: 256MB.
    pub max_file_size: ByteSize,
    /// How many processes it may consist of at once. Default: 16.
    pub max_processes: u32,
    /// How many files each of its processes may have open. Default: 64.
    pub max_open_files: u32,
    /// How many runs of it there may be at once. Default: 4.
    pub max_concurrent: u32,
    /// Whether the context is also its last argument where it is shorter than 64KB. All users of the machine can see the
    /// arguments of programs. Default: true.
    pub context_as_argument: bool,
}

impl Default for ProgramConfig {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            working_directory: None,
            environment: BTreeMap::new(),
            timeout: Span::seconds(30),
            cpu_time: Span::seconds(10),
            memory: ByteSize(512 << 20),
            max_output_size: ByteSize(8 << 20),
            max_file_size: ByteSize(256 << 20),
            max_processes: 16,
            max_open_files: 64,
            max_concurrent: 4,
            context_as_argument: true,
        }
    }
}
