//! A toolkit as its author writes it: the file `toolkits/<name>.toml` in a tenant's folder.
//!
//! Plain structs, one field a key. What they mean is checked when they become a toolkit.

mod endpoint;
mod generation;
mod group;
mod pseudo_query;
mod schedule;

use std::collections::BTreeMap;

use kernel::{ByteSize, columns::ColumnChoices};
use serde::Deserialize;

pub use self::{
    endpoint::{ClientFilter, Endpoint, EndpointKind, FieldType, Method, ResponseFormat, RunsAs},
    generation::{Generation, GenerationKind, WriteAction},
    group::GroupRights,
    pseudo_query::{Expectation, PseudoQuery, QueryAction},
    schedule::ScheduledQuery,
};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ToolkitFile {
    /// The name, by which paths, associations and overrides call the toolkit; the same as that of the file.
    pub name: String,
    /// Whether it is an application, below `/tk/app/`, or a library, below `/tk/lib/`.
    #[serde(rename = "type")]
    pub kind: ToolkitKind,
    /// Whether it is in force. A toolkit that is switched off answers nothing and gives no rights; what it says against
    /// writing (`read_only_tables`, `write_protected_columns`) stays in force.
    pub enabled: bool,
    /// What it is for.
    pub description: Option<String>,
    /// The largest body that its endpoints take, in place of `server.max_body_size`.
    pub max_body_size: Option<ByteSize>,
    /// The tables that it is about. Its rules may speak of these alone.
    pub tables: Vec<String>,
    /// Tables that groups below `read_only_override_power` may only read.
    pub read_only_tables: Vec<String>,
    /// The power from which `read_only_tables` can be written.
    pub read_only_override_power: u8,
    /// Columns, `table.column`, that only the code `rwa` may write.
    pub write_protected_columns: Vec<String>,
    /// A table of the tenant with the toolkit's groups: `name`, `permissions`, `endpoint_permissions` and, if it likes,
    /// `column_rules`, the last three as JSON lists. Where the database has it, `groups` are not looked at.
    pub groups_table: Option<String>,
    /// The toolkit's groups by name.
    pub groups: BTreeMap<String, GroupRights>,
    /// Which group of the toolkit the users of a group of the tenant are in. What is set by
    /// `insula toolkit associate` comes first.
    pub associations: BTreeMap<String, String>,
    /// Rights by power, for callers without any other place: those of the highest power that is not above the caller's.
    pub db_fallback_permissions: BTreeMap<String, GroupRights>,
    /// What can be called.
    pub endpoints: Vec<Endpoint>,
    /// Queries with a name, for endpoints and schedules.
    pub pseudo_querys: BTreeMap<String, PseudoQuery>,
    /// What runs by itself.
    pub scheduled_queries: BTreeMap<String, ScheduledQuery>,
    /// Columns that are filled in, by table and column.
    pub auto_generation: BTreeMap<String, BTreeMap<String, Generation>>,
    /// System columns that a table shall do without.
    pub system_column_overrides: ColumnChoices,
}

impl Default for ToolkitFile {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ToolkitKind::Application,
            enabled: true,
            description: None,
            max_body_size: None,
            tables: Vec::new(),
            read_only_tables: Vec::new(),
            read_only_override_power: 100,
            write_protected_columns: Vec::new(),
            groups_table: None,
            groups: BTreeMap::new(),
            associations: BTreeMap::new(),
            db_fallback_permissions: BTreeMap::new(),
            endpoints: Vec::new(),
            pseudo_querys: BTreeMap::new(),
            scheduled_queries: BTreeMap::new(),
            auto_generation: BTreeMap::new(),
            system_column_overrides: ColumnChoices::new(),
        }
    }
}

/// What a toolkit is, which decides where its endpoints are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolkitKind {
    /// It has a client of its own; below `/tk/app/`.
    #[default]
    Application,
    /// It serves others; below `/tk/lib/`.
    Library,
}

impl ToolkitKind {
    /// The word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Library => "library",
        }
    }

    /// Where its endpoints are.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Application => "/tk/app/",
            Self::Library => "/tk/lib/",
        }
    }
}
