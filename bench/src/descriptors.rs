//! Open files: every connection is one, here and in the server, and the usual limit is 1,024.

use anyhow::{Context as _, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes room for as many open files, in this process and in those that it starts.
pub(crate) fn raise(wanted: u64) -> Result<()> {
    match raised(getrlimit(Resource::Nofile), wanted)? {
        Some(limit) => setrlimit(Resource::Nofile, limit).context("Cannot raise the limit of open files"),
        None => Ok(()),
    }
}

/// As [`raise`], or as far as it goes; gives how many files may be open then, where there is a limit.
pub(crate) fn try_to_raise(wanted: u64) -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // Root may go beyond the hard limit.
    let beyond = Rlimit { current: Some(wanted), maximum: Some(wanted) };
    if raise(wanted).is_err() && setrlimit(Resource::Nofile, beyond).is_err() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
    getrlimit(Resource::Nofile).current
}

/// The limits under which there is room; none where there is already. No limit is the highest.
fn raised(limit: Rlimit, wanted: u64) -> Result<Option<Rlimit>> {
    match limit {
        Rlimit { current, .. } if current.is_none_or(|current| current >= wanted) => Ok(None),
        Rlimit { maximum: Some(maximum), .. } if maximum < wanted => {
            bail!("{wanted} open files are needed and the hard limit is {maximum}: raise it, or ask for fewer log-ins")
        }
        limit => Ok(Some(Rlimit { current: Some(wanted), ..limit })),
    }
}

#[cfg(test)]
mod tests {
    use super::raised;
    use rustix::process::Rlimit;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_the_hard_one_goes() {
        let limit = |current, maximum| Rlimit { current, maximum };
        assert_eq!(raised(limit(Some(2_000), Some(2_000)), 2_000).unwrap(), None);
        assert_eq!(raised(limit(None, None), 2_000).unwrap(), None);
        let higher = Some(limit(Some(2_000), Some(4_096)));
        assert_eq!(raised(limit(Some(1_024), Some(4_096)), 2_000).unwrap(), higher);
        assert_eq!(raised(limit(Some(1_024), None), 2_000).unwrap(), Some(limit(Some(2_000), None)));
        assert!(raised(limit(Some(1_024), Some(1_999)), 2_000).is_err());
    }
}
