//! What can go wrong in a database, in the same words for all three.

use kernel::Reason;

use crate::{Table, cell};

/// The result of anything the store does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that must be unique is there already; the columns, where the database tells.
    #[error("unique constraint on {0:?}")]
    Unique(Vec<String>),
    /// A row that is referred to is missing or still in use.
    #[error("foreign key constraint")]
    ForeignKey,
    /// A column needs a value.
    #[error("not-null constraint on {0:?}")]
    NotNull(Option<String>),
    /// A check constraint refuses the row.
    #[error("check constraint")]
    Check,
    /// The database refuses a value for its column.
    #[error("value refused: {0}")]
    ValueRefused(Source),
    /// A statement names a table or column that the database does not have (any more).
    #[error("schema out of date: {0}")]
    SchemaStale(Source),
    /// A row rule refuses rows as they would be: of an insert those at these places.
    #[error("a row rule refuses the row")]
    GuardRefused(Vec<usize>),
    /// Rows of a table without a key cannot be told apart.
    #[error("table {0} has no key")]
    NoKey(String),
    /// Concurrent writes got in each other's way, more often than is retried.
    #[error("serialisation failure: {0}")]
    Conflict(Source),
    /// The database cannot be reached.
    #[error("database unavailable: {0}")]
    Unavailable(Source),
    /// A statement took longer than is allowed.
    #[error("statement cancelled after its time")]
    Timeout,
    /// Rows have more bytes than one answer may have.
    #[error("the answer is too large")]
    TooLarge,
    /// A migration cannot be applied; says which and why.
    #[error("{0}")]
    Migration(String),
    /// The work of a transaction refused to go on.
    #[error(transparent)]
    Refused(#[from] kernel::Error),
    /// Anything else a driver said.
    #[error("database error: {0}")]
    Driver(Source),
}

impl Error {
    /// Whether the same write may succeed when it is simply repeated.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// The refusal to remove a schema or database with a list of tenants.
    pub(crate) fn holds_tenants(place: &str) -> Self {
        let message = format!("{place} holds a list of tenants of Insula and is not removed");
        Self::Refused(kernel::Error::new(Reason::Conflict, message).at("name"))
    }

    /// Names the columns of a unique key where the database named the key alone.
    pub(crate) fn with_columns_of(self, table: &Table) -> Self {
        match self {
            Self::Unique(names) => match names.as_slice() {
                [key] if table.unique.contains_key(key) => Self::Unique(table.unique[key].clone()),
                _ => Self::Unique(names),
            },
            other => other,
        }
    }
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(inner) => inner,
            Error::Unique(columns) => {
                let message = match columns.as_slice() {
                    [] => "A row with this value is already there".to_owned(),
                    columns => format!("A row with this {} is already there", columns.join(" and ")),
                };
                named(Self::new(Reason::UniqueViolation, message), columns.into_iter().next())
            }
            Error::NotNull(column) => {
                let message = match &column {
                    Some(column) => format!("{column} needs a value"),
                    None => Reason::NotNullViolation.meaning().to_owned(),
                };
                named(Self::new(Reason::NotNullViolation, message), column)
            }
            Error::ForeignKey => Self::plain(Reason::ForeignKeyViolation),
            Error::Check => Self::plain(Reason::CheckViolation),
            Error::ValueRefused(source) => Self::plain(Reason::ValueInvalid).because(source),
            Error::SchemaStale(source) => Self::plain(Reason::UnknownColumn).because(source),
            Error::GuardRefused(_) => Self::plain(Reason::RuleDenied),
            Error::NoKey(table) => {
                Self::new(Reason::KeyRequired, format!("Table {table} has no key; this needs one")).at("table")
            }
            Error::Conflict(source) => Self::plain(Reason::Conflict).because(source),
            Error::Unavailable(source) => Self::plain(Reason::DatabaseUnavailable).because(source).retry_after(1),
            Error::Timeout => Self::new(Reason::Timeout, "The database took too long; ask for less or add an index"),
            Error::TooLarge => {
                let most = cell::MOST >> 20;
                let message = format!("The rows have more than {most} MB; lower the limit or name fewer columns");
                Self::new(Reason::FieldInvalid, message).at("limit")
            }
            Error::Migration(message) => Self::internal(message),
            Error::Driver(source) => Self::internal(source),
        }
    }
}

fn named(error: kernel::Error, column: Option<String>) -> kernel::Error {
    match column {
        Some(column) => error.at(column),
        None => error,
    }
}
