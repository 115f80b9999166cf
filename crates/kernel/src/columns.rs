//! System columns: when a row was made and changed, by whom, and whose it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BoxFuture, Result, Tenant};

/// A system column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemColumn {
    /// When the row was made.
    CreatedAt,
    /// Who made it, by the user's number.
    CreatedBy,
    /// When it was last changed.
    LastModifiedAt,
    /// Who changed it last.
    LastModifiedBy,
    /// Whose it is.
    PinnedTo,
}

impl SystemColumn {
    /// Every system column, in the order in which they are added.
    pub const ALL: [Self; 5] =
        [Self::CreatedAt, Self::CreatedBy, Self::LastModifiedAt, Self::LastModifiedBy, Self::PinnedTo];

    /// The column's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::CreatedBy => "created_by",
            Self::LastModifiedAt => "last_modified_at",
            Self::LastModifiedBy => "last_modified_by",
            Self::PinnedTo => "pinned_to",
        }
    }

    /// Whether it holds a moment; the others hold the number of a user.
    pub const fn is_moment(self) -> bool {
        matches!(self, Self::CreatedAt | Self::LastModifiedAt)
    }
}

/// Which system columns a table gets: all of them where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnChoice {
    /// Whether it gets those of which nothing else is said.
    pub all: Option<bool>,
    /// Whether it gets `created_at`.
    pub created_at: Option<bool>,
    /// Whether it gets `created_by`.
    pub created_by: Option<bool>,
    /// Whether it gets `last_modified_at`.
    pub last_modified_at: Option<bool>,
    /// Whether it gets `last_modified_by`.
    pub last_modified_by: Option<bool>,
    /// Whether it gets `pinned_to`.
    pub pinned_to: Option<bool>,
}

impl ColumnChoice {
    /// What is said of a column.
    pub fn says(&self, column: SystemColumn) -> Option<bool> {
        let own = match column {
            SystemColumn::CreatedAt => self.created_at,
            SystemColumn::CreatedBy => self.created_by,
            SystemColumn::LastModifiedAt => self.last_modified_at,
            SystemColumn::LastModifiedBy => self.last_modified_by,
            SystemColumn::PinnedTo => self.pinned_to,
        };
        own.or(self.all)
    }
}

/// Choices by table: `system_column_overrides` of a file.
pub type ColumnChoices = BTreeMap<String, ColumnChoice>;

/// What a tenant's toolkits say of the system columns of their tables. Whoever adds the columns asks, the toolkits
/// answer.
pub trait ToolkitColumns: Send + Sync {
    /// The tables of a tenant's toolkits that shall not get all system columns. It is asked while the tenant is being
    /// opened, so that it must not open it: what is in files is enough. Errors: 500 where a file is broken.
    fn choices<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, Result<ColumnChoices>>;
}

/// Adds system columns that somebody has dropped. The data API asks when a statement names a column that is not there.
pub trait MissingColumns: Send + Sync {
    /// Adds the system columns that a tenant's tables lack according to the catalogue that was read last. It costs no
    /// statement where they lack none, and tries a table at most once a minute.
    fn restore<'a>(&'a self, tenant: &'a Tenant) -> BoxFuture<'a, ()>;
}

/// Nobody who could add a column.
pub struct NoMissingColumns;

impl MissingColumns for NoMissingColumns {
    fn restore<'a>(&'a self, _: &'a Tenant) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests {
    use super::{ColumnChoice, SystemColumn};

    #[test]
    fn the_column_goes_before_the_table() {
        let choice: ColumnChoice = serde_json::from_str(r#"{"all": false, "pinned_to": true}"#).unwrap();
        assert_eq!(choice.says(SystemColumn::PinnedTo), Some(true));
        assert_eq!(choice.says(SystemColumn::CreatedAt), Some(false));
        assert_eq!(ColumnChoice::default().says(SystemColumn::CreatedAt), None);
        assert!(serde_json::from_str::<ColumnChoice>(r#"{"created": false}"#).is_err());
    }
}
