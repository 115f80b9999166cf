//! Whether the servers do the same work: the same rows for the same questions, and the same refusals.

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    servers::Server,
    workload::{Caller, Operation},
};

/// Fails when those in `same_bytes` do not answer byte for byte alike, or when any of the servers finds other rows.
pub(crate) async fn check(servers: &[Server], same_bytes: &[&str], questions: &[Operation]) -> Result<()> {
    for &question in questions {
        for caller in [Caller(0), Caller(5)] {
            found_alike(servers, question, caller).await?;
            answered_alike(servers, same_bytes, question, caller).await?;
        }
    }
    Ok(())
}

async fn found_alike(servers: &[Server], question: Operation, caller: Caller) -> Result<()> {
    let mut first = None;
    for Server { target, .. } in servers {
        let found = target.find(question, caller).await?;
        ensure!(!found.ids.is_empty(), "{} finds nothing for {question:?}", target.name);
        let (name, first) = first.get_or_insert_with(|| (target.name, found.clone()));
        ensure!(*first == found, "{question:?} finds {first:?} with {name} and {found:?} with {}", target.name);
    }
    Ok(())
}

async fn answered_alike(servers: &[Server], same_bytes: &[&str], question: Operation, caller: Caller) -> Result<()> {
    let mut first: Option<Vec<Vec<u8>>> = None;
    for Server { target, .. } in servers.iter().filter(|server| same_bytes.contains(&server.target.name)) {
        let bodies = target.ask(question, caller).await?;
        let first = first.get_or_insert_with(|| bodies.clone());
        let text = |bodies: &[Vec<u8>]| String::from_utf8_lossy(&bodies.concat()).into_owned();
        ensure!(*first == bodies, "{question:?}: not the same bytes:\n{}\n{}", text(first), text(&bodies));
    }
    Ok(())
}

/// Fails when one of these servers lets a caller write where the rule forbids it, or does not let it where it may.
pub(crate) async fn check_rule(servers: &[Server], with_rule: &[&str]) -> Result<()> {
    let caller = Caller(0);
    for Server { target, .. } in servers.iter().filter(|server| with_rule.contains(&server.target.name)) {
        target.ask(Operation::Insert { room: caller.room(0) }, caller).await.context("A member may not write")?;
        if target.ask(Operation::Insert { room: caller.foreign_room() }, caller).await.is_ok() {
            bail!("{} lets somebody write in a room who is no member of it", target.name);
        }
    }
    Ok(())
}
