//! The operator's day: commands, migrations, imports, and databases that were there before.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod accounts;
mod adopting;
mod configuring;
mod converting;
mod explaining;
mod exporting;
mod importing;
mod migrating;
mod rotating;
mod round_trip;
mod schemas;
mod system_database;

use insula_tests::{Outside, Program};

/// An installation on SQLite whose second tenant, called by the outside database's name, adopted that database.
fn adopted(outside: &Outside, more: &[&str]) -> Program {
    let program = Program::initialised(insula_tests::Backend::Sqlite);
    let (name, domain) = (tenant(outside), format!("{}.test", tenant(outside)));
    let create = ["tenant", "create", &name, "--domain", &domain, "--database", &outside.url()];
    let shown = program.json(&[&create, more].concat());
    assert_eq!(shown["adopted"], true);
    program
}

/// The name of the tenant that adopts a database.
fn tenant(outside: &Outside) -> String {
    outside.name.replace('_', "-")
}
