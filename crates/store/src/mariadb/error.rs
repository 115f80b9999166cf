//! MariaDB's error numbers in the store's words.

use mysql_async::Error as Mysql;

use crate::Error;

/// Translates an error of the driver. Numbers: "MariaDB Error Codes" of its manual.
pub(crate) fn map(error: Mysql) -> Error {
    let Mysql::Server(cause) = &error else {
        return match error {
            Mysql::Io(_) => Error::Unavailable(error.into()),
            _ => Error::Driver(error.into()),
        };
    };
    match cause.code {
        1062 | 1586 => Error::Unique(key_name(&cause.message).into_iter().collect()),
        1216 | 1217 | 1451 | 1452 => Error::ForeignKey,
        1048 | 1364 => Error::NotNull(column_name(&cause.message)),
        // 1644 is SIGNAL, raised by a trigger of the tenant's own.
        4025 | 1644 => Error::Check,
        1054 | 1146 => Error::SchemaStale(error.into()),
        1205 | 1213 | 1020 => Error::Conflict(error.into()),
        1969 | 3024 => Error::Timeout,
        1264 | 1265 | 1292 | 1366 | 1406 | 1411 | 1690 | 1265..=1267 | 3140 => Error::ValueRefused(error.into()),
        1040 | 1044 | 1045 | 1049 | 1053 | 1203 | 1226 => Error::Unavailable(error.into()),
        _ => Error::Driver(error.into()),
    }
}

/// The key in `Duplicate entry 'x' for key 'name'`. The value may hold quotes, so that it is read from the end.
fn key_name(message: &str) -> Option<String> {
    let (_, rest) = message.rsplit_once("for key '")?;
    Some(rest.strip_suffix('\'')?.to_owned())
}

/// The column in `Column 'x' cannot be null` or `Field 'x' doesn't have a default value`.
fn column_name(message: &str) -> Option<String> {
    Some(message.split_once('\'')?.1.split_once('\'')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{column_name, key_name};

    #[test]
    fn names_are_found_in_messages() {
        assert_eq!(key_name("Duplicate entry 'it's' for key 'users_name'").unwrap(), "users_name");
        assert_eq!(column_name("Column 'title' cannot be null").unwrap(), "title");
    }
}
