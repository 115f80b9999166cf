//! This workspace: its folder and its cargo.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::command;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs us, in the workspace's folder, without what it told us about our own package.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    command
}

/// Builds packages and gives the program that belongs to the first.
pub(crate) fn build(packages: &[&str], options: &[&str]) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.arg("build").args(options).args(packages.iter().flat_map(|name| ["--package", name]));
    let messages = command::read(cargo.arg("--message-format=json-render-diagnostics"))?;
    match packages.first().and_then(|name| executable(&messages, name)) {
        Some(program) => Ok(program),
        None => bail!("`cargo build` made no program for {packages:?}."),
    }
}

/// The program of a binary target, out of cargo's messages: one JSON object a line.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_it = message["reason"] == "compiler-artifact" && message["target"]["name"] == target;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests {
    use super::executable;
    use std::path::Path;

    #[test]
    fn the_program_is_the_named_targets() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"insula","kind":["lib"]},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"other","kind":["bin"]},"executable":"/t/debug/other"}
            {"reason":"compiler-artifact","target":{"name":"insula","kind":["bin"]},"executable":"/t/debug/insula"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "insula").as_deref(), Some(Path::new("/t/debug/insula")));
        assert_eq!(executable(messages, "missing"), None);
    }
}
