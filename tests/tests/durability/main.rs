//! Nothing that was acknowledged is ever lost, and nothing that was accepted is left without an answer.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod draining;
mod killing;
mod writers;

use insula_tests::{Backend, Program};

/// An installation with a table that takes whatever comes, and an administrator `ada`.
fn installation() -> Program {
    let program = Program::initialised(Backend::Sqlite);
    program.tables(
        "CREATE TABLE notes (id SERIAL, round BIGINT, writer BIGINT, number BIGINT, part BIGINT, parts BIGINT, note TEXT)",
    );
    program.user(&program.tenant, "ada", "administrators");
    program
}
