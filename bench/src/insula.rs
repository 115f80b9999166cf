//! Insula, set up as a user would: a tenant, a table, rules, a log-in.

use std::{fs, net::SocketAddr, path::Path, process::Command, rc::Rc};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    client::Client,
    compare::free_address,
    process::Process,
    rounds::Server,
    target::{Dialect, Target, post},
    workload::SCHEMA,
};

const DOMAIN: &str = "bench.test";
pub(crate) const TENANT: &str = "bench-test";
/// An ordinary user: the rules of administrators might be cheaper to check.
const USER: &str = "uma";
pub(crate) const PASSWORD: &str = "only for measuring, gone in a minute";

/// One client is a stranger's flood to the limiter; everything else stays as it is shipped.
const CONFIG: &str = "[server.rate_limit]\nenabled = false\n";

/// Sets up an installation in `parent` and starts it.
pub(crate) async fn start(program: &Path, parent: &Path) -> Result<Server> {
    let data = parent.join("insula");
    let file = |name: &str, text: &str| {
        let path = parent.join(name);
        fs::write(&path, text).map(|()| path)
    };
    let password = file("password", PASSWORD)?;
    let config = file("insula.toml", CONFIG)?;

    let run = |configure: &dyn Fn(&mut Command)| {
        let mut command = Command::new(program);
        configure(&mut command);
        succeed(command.arg("--data").arg(&data))
    };
    run(&|command| {
        command.args(["init", "--domain", DOMAIN, "--admin", "admin", "--json", "--password-file"]).arg(&password);
    })?;
    let migrations = data.join("tenants").join(TENANT).join("migrations");
    fs::create_dir_all(&migrations)?;
    fs::write(migrations.join("0001_message.sql"), SCHEMA)?;
    run(&|command| {
        command.arg("migrate");
    })?;
    for (group, rule) in [("users", "message:rw"), ("anonymous", "message:r")] {
        run(&|command| {
            command.args(["group", "set", group, "--tenant", TENANT, "--rule", rule]);
        })?;
    }
    run(&|command| {
        command
            .args(["user", "create", USER, "--tenant", TENANT, "--group", "users", "--password-file"])
            .arg(&password);
    })?;

    let address = free_address()?;
    let mut serve = Command::new(program);
    serve.args(["serve", "--listen", &address.to_string()]).arg("--data").arg(&data).arg("--config").arg(config);
    let process = Rc::new(Process::start(&mut serve, &parent.join("insula.ready"))?);
    let begun = call(address, "/auth/login", None, &log_in(USER, PASSWORD)).await?;
    let token = begun["token"].as_str().context("The log-in gives no token")?.to_owned();
    Ok(Server { process, target: Target { address, name: "insula", dialect: Dialect::Insula { token } } })
}

/// The body of a log-in.
pub(crate) fn log_in(username: &str, password: &str) -> String {
    serde_json::json!({ "method": "password", "username": username, "password": password }).to_string()
}

/// Asks Insula for something that it must not refuse.
pub(crate) async fn call(address: SocketAddr, path: &str, token: Option<&str>, body: &str) -> Result<Value> {
    let mut request = Vec::new();
    post(address, path, token, body, &mut request);
    let mut client = Client::connect(address).await?;
    let answer = client.send(&request).await?;
    ensure!(answer.is_success(), "Insula refuses {path}: {}", String::from_utf8_lossy(answer.body));
    Ok(serde_json::from_slice(answer.body)?)
}

/// Runs a program in silence and fails with what it complained about.
fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("Cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        bail!("`insula {}` failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
