//! The ceiling on PostgreSQL: this program's own server, which knows nobody.

use std::{path::Path, process::Command, rc::Rc, sync::Arc};

use anyhow::Result;

use super::{Server, Target, bare::Bare, free_address};
use crate::process::Process;

pub(crate) const NAME: &str = "bare";

/// Starts it on the tables in `schema`; what it says goes to `folder`.
pub(crate) fn start(folder: &Path, url: &str, schema: &str) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare-postgres", "--listen", &address.to_string(), "--schema", schema]);
    command.env("INSULA_BENCH_POSTGRES_URL", url);
    let process = Rc::new(Process::start(&mut command, &folder.join("bare-postgres.ready"))?);
    Ok(Server { process, target: Target { address, name: NAME, dialect: Arc::new(Bare) } })
}
