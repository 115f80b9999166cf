//! The part of the configuration.

use kernel::{ByteSize, Span};
use serde::{Deserialize, Serialize};

/// What is audited, and how long it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Whether anything is written into the audit log. Entries that are there can be read either way.
    pub enabled: bool,
    /// How long entries are kept; `0s` keeps them for ever.
    pub retention: Span,
    /// Bytes of entries that may wait in the data folder while databases are down. What does not fit any more is written to
    /// standard error alone, whatever `log.level` says.
    pub max_spool_size: ByteSize,
    /// Whether `POST /query` leaves an entry for what it reads, too.
    pub reads: bool,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            retention: Span::seconds(90 * 24 * 60 * 60),
            max_spool_size: ByteSize(1 << 30),
            reads: false,
        }
    }
}
