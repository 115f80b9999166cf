//! The program of `examples/toolkits/statistics`, in Python, and programs that misbehave.

use std::path::PathBuf;

use insula_tests::{Backend, Program, on_all_databases};
use serde_json::json;

use crate::stage::example;

on_all_databases!(numbers_are_worked_out_by_a_program, programs_have_limits_and_no_environment);

async fn numbers_are_worked_out_by_a_program(backend: Backend) {
    let program = Program::initialised(backend);
    program.tables(&example("lending/migrations/0001_lending.sql"));
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/toolkits/statistics/statistics.py");
    let text = example("statistics/statistics.toml")
        .replace("/opt/insula/statistics.py", script.canonicalize().unwrap().to_str().unwrap());
    program.file(&format!("data/tenants/{}/toolkits/statistics.toml", program.tenant), &text);
    program.user(&program.tenant, "root", "administrators");
    program.user(&program.tenant, "uma", "users");
    let server = program.serve().await;
    let root = server.user(&program.tenant, "root").await;
    let item = json!({"id": "i1", "asset_tag": "EQ-1", "name": "Camera", "kind": "camera", "status": "free"});
    root.query(json!({"action": "insert", "table": "lending_items", "data": item})).await.data();
    for (id, day, due, status) in [
        ("a", "2026-01-01", "2026-01-11", "open"),
        ("b", "2026-02-01", "2026-02-04", "overdue"),
        ("c", "2025-01-01", "2025-12-01", "returned"),
    ] {
        let loan = json!({"id": id, "item": "i1", "borrower": 1, "lent_on": day, "due_on": due, "status": status});
        root.query(json!({"action": "insert", "table": "lending_loans", "data": loan})).await.data();
    }
    let told = root.get("/tk/lib/statistics/loans?since=2026-01-01").await;
    let expected = json!({"since": "2026-01-01", "loans": 2, "overdue": 1, "days_median": 6.5, "days_longest": 10});
    assert_eq!(told.data(), &expected);
    let wrong = root.get("/tk/lib/statistics/loans?since=yesterday").await;
    assert_eq!(wrong.refusal(), (400, "value_invalid"), "{}", wrong.text);
    let uma = server.user(&program.tenant, "uma").await;
    assert_eq!(uma.get("/tk/lib/statistics/loans?since=2026-01-01").await.refusal(), (403, "endpoint_denied"));
    // The same on the command line.
    let arguments = [
        "toolkit",
        "call",
        "statistics",
        "loans",
        "--method",
        "get",
        "--user",
        "root",
        "--payload",
        r#"{"since":"2026-01-01"}"#,
    ];
    assert_eq!(program.json(&arguments)["data"], expected);
    drop(server);
    program.end();
}

/// Prints what would be read as JSON in JSON, deeper than any stack.
const NESTED: &str =
    r#"printf "{\"\$serde_json::private::RawValue\":\""; printf "%200000s" "" | tr " " "["; printf "\"}""#;

async fn programs_have_limits_and_no_environment(backend: Backend) {
    let program = Program::initialised(backend).with("INSULA_TEST_SECRET", "hush");
    let endpoint = |path: &str, script: &str, rest: &str| {
        format!(
            "[[endpoints]]\npath = \"{path}\"\ntype = \"executable\"\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\ncontext_as_argument = false\n{rest}\n"
        )
    };
    let text = [
        "name = \"kit\"\n[db_fallback_permissions.10]\nendpoint_permissions = [\"*\"]\n",
        &endpoint("env", "env", ""),
        &endpoint("echo", "cat", ""),
        &endpoint("text", "echo hello", ""),
        &endpoint("slow", "sleep 30", "timeout = \"300ms\""),
        &endpoint("fails", "echo boom >&2; exit 3", ""),
        &endpoint("flood", "yes", "max_output_size = \"1MB\""),
        &endpoint("nested", NESTED, ""),
        &endpoint("whole", "echo '{\"a\":1}'", "overwrite_wrapping = true"),
    ];
    program.file(&format!("data/tenants/{}/toolkits/kit.toml", program.tenant), &text.concat());
    program.user(&program.tenant, "uma", "users");
    let server = program.serve().await;
    let uma = server.user(&program.tenant, "uma").await;
    let call = async |path: &str| uma.post(&format!("/tk/app/kit/{path}"), &json!({"a": "b"})).await;
    let environment = call("env").await.data()["output"].as_str().unwrap_or_default().to_owned();
    assert!(!environment.contains("hush") && !environment.contains("INSULA"), "{environment}");
    let context = call("echo").await.data().clone();
    assert_eq!((&context["payload"], &context["username"]), (&json!({"a": "b"}), &json!("uma")));
    assert_eq!(call("text").await.data(), &json!({"output": "hello\n"}));
    assert_eq!(call("whole").await.text, r#"{"a":1}"#);
    let nested = call("nested").await;
    assert!(nested.status == 200 && nested.text.contains(&"[".repeat(200_000)), "{:.300}", nested.text);
    assert_eq!(call("slow").await.refusal(), (504, "upstream_timeout"));
    let failed = call("fails").await;
    assert_eq!(failed.refusal(), (502, "program_failed"));
    assert!(!failed.text.contains("boom"), "{}", failed.text);
    assert_eq!(call("flood").await.refusal().0, 502);
    drop(server);
    program.end();
}
