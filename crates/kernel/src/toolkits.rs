//! What a tenant's toolkits say about its tables and about the rights of its users.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::{Group, Principal, Result, Soon, Tenant, soon};

/// Knows the toolkits of all tenants. The data API asks, the toolkits answer.
pub trait Toolkits: Send + Sync {
    /// What a tenant's toolkits say: read at the first request for it, the same until a reload.
    fn of<'a>(&'a self, tenant: &'a Tenant) -> Soon<'a, Result<Arc<dyn ToolkitTerms>>>;
}

/// What the toolkits of one tenant say. It does not change; a reload makes another.
pub trait ToolkitTerms: Send + Sync {
    /// The caller's group with the rules that its places in toolkits add. Without such places it is the group itself;
    /// callers with the same group and places get the same value.
    fn group(&self, principal: &Principal) -> Arc<Group>;

    /// What is said about a table, if anything.
    fn table(&self, table: &str) -> Option<&TableTerms>;

    /// The caller's places for `GET /permissions`: `{toolkit: {"type", "group", …}}`, without toolkits in which there
    /// is none.
    fn places(&self, principal: &Principal) -> Map<String, Value>;
}

/// What toolkits say about one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableTerms {
    /// Groups of less power may only read it, whatever their code.
    pub read_only_below: Option<u8>,
    /// Columns that only the code `rwa` may write.
    pub write_protected: Vec<String>,
    /// Columns that are filled in where a write leaves them out.
    pub generated: Vec<GeneratedColumn>,
}

/// A column that is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedColumn {
    /// The column.
    pub column: String,
    /// What with.
    pub value: GeneratedValue,
    /// Whether an insert without a value for it gets one.
    pub on_insert: bool,
    /// Whether an update without a value for it gets a new one, which is the same in all its rows.
    pub on_update: bool,
    /// Whether a value of the caller's is put aside.
    pub always: bool,
}

/// What a column is filled in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneratedValue {
    /// The next number of a counter that never goes back and never gives a number twice: text before it, the least
    /// number of digits, and text after it. Its first number is `start`.
    Sequence {
        /// Text before the number.
        prefix: String,
        /// The least number of digits; zeros are put before it.
        digits: u8,
        /// Text after the number.
        suffix: String,
        /// The first number.
        start: u64,
    },
    /// Random characters out of an alphabet, tried again where the value is taken already.
    Random {
        /// Text before them.
        prefix: String,
        /// The characters to choose from.
        alphabet: String,
        /// How many.
        length: u8,
    },
    /// A UUID of version 7.
    Uuid,
    /// The time of the request.
    Now,
    /// The number of the acting user.
    User,
}

/// No toolkits at all.
pub struct NoToolkits;

impl Toolkits for NoToolkits {
    fn of<'a>(&'a self, _: &'a Tenant) -> Soon<'a, Result<Arc<dyn ToolkitTerms>>> {
        static NONE: LazyLock<Arc<dyn ToolkitTerms>> = LazyLock::new(|| Arc::new(NoToolkits));
        soon::now(Ok(Arc::clone(&NONE)))
    }
}

impl ToolkitTerms for NoToolkits {
    fn group(&self, principal: &Principal) -> Arc<Group> {
        Arc::clone(&principal.group)
    }

    fn table(&self, _: &str) -> Option<&TableTerms> {
        None
    }

    fn places(&self, _: &Principal) -> Map<String, Value> {
        Map::new()
    }
}
