//! `cargo xtask ci`: what has to hold before a change is taken.

use anyhow::{Result, bail};

use crate::{command, interrupt, progress, test, workspace};

/// Runs every check, also after one failed, and fails when one did.
pub(crate) fn run() -> Result<()> {
    let checks: [(&str, &dyn Fn() -> Result<()>); 4] = [
        ("Formatting", &|| command::run(workspace::cargo().args(["fmt", "--all", "--check"]))),
        ("Lints", &|| {
            let lint = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            command::run(workspace::cargo().args(lint))
        }),
        ("Documentation", &|| {
            let mut cargo = workspace::cargo();
            command::run(cargo.args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
        }),
        ("Tests", &|| test::run(&test::Options::default())),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(error) = progress::step(name, check) {
            interrupt::check()?;
            progress::failure(&error);
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("Not in order: {}.", failed.join(", ")) }
}
