//! The ceiling on SQLite: this program's own server, which knows nobody.

use std::{net::SocketAddr, path::Path, process::Command, rc::Rc, sync::Arc};

use anyhow::Result;
use serde_json::Value;

use super::{Dialect, Found, Server, Target, free_address};
use crate::{
    client::Answer,
    http::Requests,
    process::Process,
    workload::{BODY, BULK, Caller, Operation, Rule},
};

/// The server whose inserts share commits.
pub(crate) const NAME: &str = "bare";
/// The one in which every insert is a commit of its own.
pub(crate) const AUTOCOMMIT: &str = "bare-autocommit";

/// Starts a bare server; its data are in `folder`.
pub(crate) fn start(folder: &Path, name: &'static str) -> Result<Server> {
    let (address, mut command) = server(folder, name)?;
    let process = Rc::new(Process::start(&mut command, &folder.join(format!("{name}.ready")))?);
    Ok(Server { process, target: Target { address, name, dialect: Arc::new(Bare) } })
}

/// The server's command, and where it will listen.
pub(crate) fn server(folder: &Path, name: &str) -> Result<(SocketAddr, Command)> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", "--listen", &address.to_string(), "--data"]).arg(folder.join(format!("{name}.db")));
    command.args((name == AUTOCOMMIT).then_some("--autocommit"));
    Ok((address, command))
}

/// How a bare server is asked: it is told who asks, and believes it.
#[derive(Debug)]
pub(crate) struct Bare;

impl Dialect for Bare {
    fn write(&self, operation: Operation, caller: Caller, address: SocketAddr, requests: &mut Requests) {
        let mut post = |path: &str, body: &str| requests.push("POST", address, path, "", body);
        let caller = caller.user();
        match operation {
            Operation::Read { id } => post("/read", &format!(r#"{{"id":{id}}}"#)),
            Operation::Join { id } => post("/join", &format!(r#"{{"id":{id}}}"#)),
            Operation::List { rule, offset, count } => {
                let rule = word(rule);
                post("/list", &format!(r#"{{"rule":"{rule}","caller":{caller},"offset":{offset}}}"#));
                if count {
                    post("/count", &format!(r#"{{"rule":"{rule}","caller":{caller}}}"#));
                }
            }
            Operation::Insert { room } => {
                post("/insert", &format!(r#"{{"room":{room},"author":{caller},"body":"{BODY}"}}"#));
            }
            Operation::Bulk { room } => {
                let message = format!(r#"{{"room":{room},"author":{caller},"body":"{BODY}"}}"#);
                post("/bulk", &format!("[{}]", vec![message; BULK].join(",")));
            }
        }
    }

    fn is_success(&self, answer: &Answer<'_>) -> bool {
        answer.is_success()
    }

    fn found(&self, operation: Operation, answers: &[Value]) -> Result<Found> {
        super::insula::found(operation, answers)
    }
}

const fn word(rule: Rule) -> &'static str {
    match rule {
        Rule::None => "none",
        Rule::Owner => "owner",
        Rule::Member => "member",
    }
}
