//! Reloading and restarting: nobody is refused, nothing is lost, and what could not start never takes the place of what
//! runs.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod broken;
mod forced;
mod graceful;
mod handed_over;
mod load;
mod rights;

use std::time::Duration;

use insula_tests::{Answer, Backend, Client, Program, Serving, until};
use serde_json::json;

/// What restarts the server at once.
const FORCED: &str = r#"{"restart": true, "forced": true}"#;
/// What restarts it once it is idle.
const GRACEFUL: &str = r#"{"restart": true}"#;

/// An installation with a table whose rows cannot be there twice, and an administrator `ada`.
fn installed(program: Program) -> Program {
    let domain = format!("{}.test", program.tenant);
    program.ok(&["init", "--name", &program.tenant, "--domain", &domain]);
    program.tables(
        "CREATE TABLE notes (id SERIAL, writer BIGINT, number BIGINT, part BIGINT, UNIQUE (writer, number, part))",
    );
    program.user(&program.tenant, "ada", "administrators");
    program.with("INSULA_IDENTITY__MAX_CONCURRENT_SESSIONS", "1000")
}

fn installation(backend: Backend) -> Program {
    installed(Program::new(backend))
}

/// Forgets that the program listened, so that [`has_restarted`] tells of the next time.
fn forget(program: &Program) {
    let _ = std::fs::remove_file(program.path("ready.json"));
}

/// Whether a program listens that was started since [`forget`].
fn has_restarted(program: &Program) -> bool {
    program.path("ready.json").exists()
}

async fn restarted(program: &Program) {
    until("the program has restarted", Duration::from_secs(20), async || has_restarted(program)).await;
}

/// Asks for a restart that is granted.
async fn ask(program: &Program, client: &Client, body: &str) -> Answer {
    forget(program);
    let answer = client.post_text("/reload", body).await;
    assert_eq!((answer.status, &answer.body["restarting"]), (200, &json!(true)), "{}", answer.text);
    answer
}

/// Asks for a restart and waits until it is done; a client that knows nothing of connections of before.
async fn restart(program: &Program, serving: &Serving, client: &Client, body: &str) -> Client {
    ask(program, client, body).await;
    restarted(program).await;
    let domain = format!("api.{}.test", program.tenant);
    serving.anonymous().at_host(domain).with_token(client.token.clone().unwrap())
}
