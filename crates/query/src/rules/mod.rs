//! The rules of the data API: what a group may do with a table, its columns and its rows.

mod book;
mod cache;
mod check;
mod code;
mod column;
mod group;
mod row;
mod table;

pub use self::{
    book::{RuleAction, RuleBook, RuleSource},
    cache::{Rules, TenantRules},
    check::Grammar,
    code::{Access, Reach},
    column::{ColumnCode, RowIs, Visibility},
    group::GroupRules,
    row::{Operand, RowRule},
    table::{ColumnAccess, TableAccess, canonical_table},
};
pub(crate) use self::{
    cache::{Kept, Rights},
    row::{Environment, Members},
};

/// The columns that Insula fills in itself and that only `rwa` may write.
pub const SYSTEM_COLUMNS: [&str; 5] = ["created_at", "created_by", "last_modified_at", "last_modified_by", "pinned_to"];
/// The column that says whose a row is.
pub const OWNER: &str = "pinned_to";
