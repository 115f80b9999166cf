//! Two processes make the same tenant at once.

use std::process::{Output, Stdio};

use insula_tests::{Backend, Program};
use testkit::on_all_databases;

on_all_databases!(of_two_beginnings_one_stands, of_two_tenants_of_a_name_one_stands);

const ROUNDS: usize = 3;

/// Runs two commands at once; the number of the one that succeeded, after the other was refused as a conflict.
fn race(program: &Program, commands: [&[&str]; 2]) -> usize {
    let spawn =
        |arguments: &[&str]| program.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let [one, two] = commands.map(spawn).map(|child| child.wait_with_output().unwrap());
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    match (one.status.code(), two.status.code()) {
        (Some(0), Some(4)) => 0,
        (Some(4), Some(0)) => 1,
        codes => panic!("{codes:?}: {} / {}", told(&one), told(&two)),
    }
}

async fn of_two_beginnings_one_stands(backend: Backend) {
    for _ in 0..ROUNDS {
        let program = Program::new(backend);
        let domain = format!("{}.test", program.tenant);
        let password = program.file("password", "correct horse battery");
        let init = |admin| {
            ["init", "--name", &program.tenant, "--domain", &domain, "--admin", admin, "--password-file", &password]
        };
        let winner = race(&program, [&init("ada"), &init("bob")]);
        let serving = program.serve().await;
        serving.user(&program.tenant, ["ada", "bob"][winner]).await;
        serving.kill();
        program.end();
    }
}

async fn of_two_tenants_of_a_name_one_stands(backend: Backend) {
    let program = Program::initialised(backend);
    for round in 0..ROUNDS {
        let name = format!("{}{round}", program.tenant);
        let domain = format!("{name}.test");
        let create = ["tenant", "create", &name, "--domain", &domain];
        race(&program, [&create, &create]);
        program.user(&name, "ada", "administrators");
        let serving = program.serve().await;
        serving.user(&name, "ada").await;
        serving.kill();
    }
    program.end();
}
