//! Whom a server runs as: PostgreSQL refuses to be root.

use std::{fs, os::unix::fs::chown, path::Path, process::Command};

use anyhow::{Context as _, Result};
use rustix::process::geteuid;

use crate::command;

/// The user that a server runs as, when it is not the one who runs us.
pub(crate) struct Account(Option<Ids>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    user: u32,
    group: u32,
}

impl Account {
    /// Ourselves, or for root the user `postgres`, or else `nobody`.
    pub(crate) fn other_than_root() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd").context("Cannot read the list of users")?;
        let ids = ["postgres", "nobody"].iter().find_map(|name| ids_of(name, &users));
        Ok(Self(Some(ids.context("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`.")?)))
    }

    /// `program` as this user, told by Linux to end with `signal` when this process dies.
    pub(crate) fn command(&self, program: &Path, signal: &str) -> Command {
        let Some(ids) = self.0 else { return command::bound_to_us(program, signal) };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={}", ids.user), format!("--regid={}", ids.group), "--clear-groups".to_owned()]);
        command.args(["--pdeathsig", signal, "--"]).arg(program);
        command
    }

    /// Gives a file or folder to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        let Some(ids) = self.0 else { return Ok(()) };
        chown(path, Some(ids.user), Some(ids.group)).with_context(|| format!("Cannot give away {}", path.display()))
    }
}

/// A user's numbers in a file of the form of `/etc/passwd`.
fn ids_of(name: &str, users: &str) -> Option<Ids> {
    users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|fields| match fields[..] {
        [user, _, uid, gid, ..] if user == name => Some(Ids { user: uid.parse().ok()?, group: gid.parse().ok()? }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Ids, ids_of};

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:9:9::/:\npostgres:x:101:104:PostgreSQL:/var:/bin/sh\n";
        assert_eq!(ids_of("postgres", users), Some(Ids { user: 101, group: 104 }));
        assert_eq!(ids_of("nobody", users), None);
    }
}
