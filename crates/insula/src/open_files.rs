//! Open files: every connection of a caller is one, and every open tenant on SQLite a few.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files of an open tenant: the database and its log, for reading and for writing, and the log's index. A busy one may have
/// more; one that is only read has three.
const OF_A_TENANT: u64 = 5;

/// Raises the process's limit on open files as far as the system lets it, and gives how many tenants can be open under
/// that. The usual limit of 1,024 is for programs that cannot count further.
pub(crate) fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit on open files was not raised");
        }
    }
    getrlimit(Resource::Nofile).current.map(tenants)
}

/// A quarter is left to callers, and to tenants that are busy.
fn tenants(files: u64) -> u64 {
    (files - files / 4) / OF_A_TENANT
}

#[cfg(test)]
mod tests {
    use super::tenants;

    #[test]
    fn files_are_left_to_callers() {
        assert_eq!(tenants(1_024), 153);
        assert_eq!(tenants(20_000), 3_000);
    }
}
