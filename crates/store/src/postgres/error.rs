//! PostgreSQL's SQLSTATE codes in the store's words.

use tokio_postgres::error::{Error as Postgres, SqlState};

use crate::Error;

/// Translates an error of the driver. Codes: appendix A of PostgreSQL's manual.
pub(crate) fn map(error: Postgres) -> Error {
    let Some(cause) = error.as_db_error() else {
        let gone = error.is_closed() || error.to_string().contains("connecting");
        return if gone { Error::Unavailable(error.into()) } else { Error::Driver(error.into()) };
    };
    let state = cause.code();
    if *state == SqlState::UNIQUE_VIOLATION {
        return Error::Unique(cause.detail().map(columns).unwrap_or_default());
    }
    if *state == SqlState::NOT_NULL_VIOLATION {
        return Error::NotNull(cause.column().map(str::to_owned));
    }
    if *state == SqlState::FOREIGN_KEY_VIOLATION || *state == SqlState::RESTRICT_VIOLATION {
        return Error::ForeignKey;
    }
    if *state == SqlState::UNDEFINED_COLUMN || *state == SqlState::UNDEFINED_TABLE {
        return Error::SchemaStale(error.into());
    }
    if *state == SqlState::QUERY_CANCELED {
        return Error::Timeout;
    }
    match state.code().get(..2).unwrap_or_default() {
        // P0 is raised by a trigger of the tenant's own.
        "23" | "P0" => Error::Check,
        "22" | "42" if state.code().starts_with("22") || *state == SqlState::DATATYPE_MISMATCH => {
            Error::ValueRefused(error.into())
        }
        "40" | "55" => Error::Conflict(error.into()),
        "08" | "53" | "57" => Error::Unavailable(error.into()),
        _ => Error::Driver(error.into()),
    }
}

/// The columns in `Key (a, b)=(1, 2) already exists.`
fn columns(detail: &str) -> Vec<String> {
    let list = detail.split_once("Key (").and_then(|(_, rest)| rest.split_once(")="));
    list.map(|(names, _)| names.split(", ").map(|name| name.trim_matches('"').to_owned()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn the_columns_of_a_key_are_found() {
        assert_eq!(columns("Key (room, \"Name\")=(1, x) already exists."), ["room", "Name"]);
        assert!(columns("something else").is_empty());
    }
}
