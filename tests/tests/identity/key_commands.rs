//! API keys from the command line, while a server runs on the same data.

use std::time::Duration;

use insula_tests::{Backend, Program, on_all_databases, until};
use serde_json::{Value as Json, json};

on_all_databases!(a_key_from_its_making_to_its_end, wrong_commands_say_what_is_wrong);

async fn a_key_from_its_making_to_its_end(backend: Backend) {
    let program = Program::initialised(backend);
    program.tables("CREATE TABLE notes (id SERIAL, text VARCHAR(40))");
    program.user(&program.tenant, "uma", "users");
    let serving = program.serve().await;
    let ask = async |key: &Json| {
        let token = key["secret"].as_str().unwrap().to_owned();
        let host = format!("api.{}.test", program.tenant);
        serving.anonymous().at_host(host).with_token(token).get("/auth/keys/self").await
    };
    let create =
        |more: &[&str]| program.json(&[&["key", "create", "--scope", "data.read", "--name", "k"], more].concat());
    // Of the first administrator, where nobody is named.
    let sk = create(&["--kind", "sk", "--group", "users", "--address", "127.0.0.1", "--expires", "1h"]);
    assert_eq!((&sk["user"], &sk["group"], &sk["kind"]), (&json!("admin"), &json!("users"), &json!("sk")));
    assert_eq!((&sk["addresses"], &sk["scopes"]), (&json!(["127.0.0.1/32"]), &json!(["data.read"])));
    let pat = create(&["--kind", "pat", "--user", "uma", "--scope", "data.insert"]);
    let pk = create(&["--kind", "pk", "--origin", "https://example.com"]);
    assert_eq!(ask(&sk).await.body["group"], "users");
    assert_eq!(ask(&pat).await.body["scopes"], json!(["data.read", "data.insert"]));
    assert_eq!(ask(&pk).await.refusal(), (403, "origin_not_allowed"));
    let listed = program.json(&["key", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert!(listed.as_array().unwrap().iter().all(|key| key.get("secret").is_none()));
    assert_eq!(program.json(&["key", "list", "--user", "uma"])[0]["id"], pat["id"]);
    let id = |key: &Json| key["id"].as_str().unwrap().to_owned();
    assert_eq!(program.json(&["key", "show", &id(&pk)])["origins"], json!(["https://example.com"]));
    let told = program.ok(&["key", "create", "--kind", "sk", "--name", "n", "--scope", "data.read"]);
    assert!(told.contains("\nins_sk_") && told.contains("shown once"), "{told}");
    assert!(program.ok(&["key", "list"]).contains(&id(&sk)));
    // Another key takes the place of one, here and at once; the old one lives on as long as was asked for.
    let heir = program.json(&["key", "rotate", &id(&pat), "--overlap", "0s"]);
    assert_eq!(heir["rotated_from"], pat["id"]);
    assert_eq!(ask(&heir).await.status, 200);
    until("the old key has ended", Duration::from_secs(5), async || ask(&pat).await.status == 401).await;
    assert_eq!(program.json(&["key", "revoke", &id(&sk)])["state"], "revoked");
    until("the revocation bites", Duration::from_secs(5), async || ask(&sk).await.refusal() == (401, "key_revoked"))
        .await;
    // Who is suspended owns no new key.
    program.user(&program.tenant, "ada", "administrators");
    program.ok(&["user", "set", "admin", "--status", "suspended"]);
    assert_eq!(create(&["--kind", "sk"])["user"], "ada");
    drop(serving);
    program.end();
}

async fn wrong_commands_say_what_is_wrong(backend: Backend) {
    let program = Program::initialised(backend);
    program.user(&program.tenant, "uma", "users");
    let fails = |more: &[&str]| program.fails(&[&["key", "create", "--name", "k"], more].concat());
    for (arguments, code, said) in [
        (&["--kind", "sk"][..], 2, "--scope"),
        (&["--kind", "xk", "--scope", "data.read"], 2, "xk"),
        (&["--kind", "sk", "--scope", "everything"], 2, "no such scope"),
        (&["--kind", "pat", "--scope", "reload", "--user", "uma"], 1, "reload"),
        (&["--kind", "sk", "--scope", "data.read", "--user", "uma", "--group", "moderators"], 1, "power"),
        (&["--kind", "sk", "--scope", "data.read", "--expires", "never"], 2, "unending"),
        (&["--kind", "sk", "--scope", "data.read", "--expires", "soon"], 2, "soon"),
        (&["--kind", "sk", "--scope", "data.read", "--user", "nobody"], 3, "nobody"),
    ] {
        let (got, told) = fails(arguments);
        assert!(got == code && told.contains(said), "{arguments:?}: {got} {told}");
    }
    for command in ["show", "revoke", "rotate"] {
        assert_eq!(program.fails(&["key", command, "nothing"]).0, 3);
    }
    let unending = Program::initialised(backend).with("INSULA_IDENTITY__ALLOW_UNENDING_KEYS", "true");
    let create = ["key", "create", "--kind", "sk", "--name", "k", "--scope", "data.read", "--expires", "never"];
    assert_eq!(unending.json(&create)["expires_at"], json!(null));
    unending.end();
    program.end();
}
