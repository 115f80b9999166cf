//! A day in the life of a tenant, as its audit log tells it.

use insula_tests::{Backend, on_all_databases};
use serde_json::{Value as Json, json};

use crate::{entries, insert, installation, request_id};

on_all_databases!(a_day_is_told, a_request_has_one_id_everywhere, a_batch_is_one_entry, a_toolkit_tells_its_writes);

async fn a_day_is_told(backend: Backend) {
    let program = installation(backend);
    program.ok(&["group", "set", "administrators", "--settings-access", "read-write-all"]);
    let serving = program.serve().await;
    let nobody = serving.anonymous().at_host(format!("api.{}.test", program.tenant));
    let wrong = json!({"method": "password", "username": "uma", "password": "not the password"});
    assert_eq!(nobody.post("/auth/login", &wrong).await.status, 401);
    let uma = serving.user(&program.tenant, "uma").await;
    assert_eq!(insert(&uma, "a lamp").await.status, 200);
    let update = json!({"action": "update", "table": "items", "data": {"name": "lamp"}, "where": {"id": 1}});
    assert_eq!(uma.query(update).await.status, 200);
    assert_eq!(uma.query(json!({"action": "select", "table": "items"})).await.status, 200);
    let refused = uma.query(json!({"action": "delete", "table": "vault", "where": {"id": 1}})).await;
    assert_eq!(refused.refusal(), (403, "table_denied"));
    let ada = serving.user(&program.tenant, "ada").await;
    assert_eq!(ada.post("/reload", &json!({})).await.status, 200);
    assert_eq!(uma.post("/reload", &json!({})).await.status, 403);
    let key = ada.post("/auth/keys", &json!({"kind": "pat", "name": "till", "scopes": ["data.insert"]})).await;
    assert_eq!(key.status, 201, "{}", key.text);
    let till = nobody.with_token(key.body["secret"].as_str().unwrap());
    assert_eq!(insert(&till, "a chair").await.status, 200);
    assert_eq!(ada.post("/auth/clear-sessions", &json!({"user_id": 3})).await.status, 200);
    assert_eq!(uma.post("/auth/logout", &json!({})).await.status, 401);
    let uma_again = serving.user(&program.tenant, "uma").await;
    // The own preferences are nobody's business; those of others are.
    let set = |user: i64| json!({"action": "set", "client": "till", "user_id": user, "data": {"theme": "dark"}});
    for (who, user, status) in [(&ada, 2, 200), (&ada, 3, 200), (&uma_again, 2, 403)] {
        assert_eq!(who.post("/preferences", &set(user)).await.status, status);
    }
    assert_eq!(ada.send(reqwest::Method::DELETE, "/admin/users/3", &[], None).await.status, 204);
    let mut told = entries(&ada, "").await;
    told.reverse();
    assert!(told.is_sorted_by(|a, b| a["id"].as_str() < b["id"].as_str()), "ids are in the order of what happened");
    for entry in &mut told {
        redact(entry, &program.tenant);
    }
    insta::assert_snapshot!("a_day", serde_json::to_string_pretty(&told).unwrap());
    drop(serving);
    program.end();
}

/// Replaces what differs from run to run, and says what it is.
fn redact(entry: &mut Json, tenant: &str) {
    assert!(entry["id"].as_str().unwrap().len() == 36 && entry["ts"].as_str().unwrap().ends_with('Z'));
    for (field, put) in
        [("id", "an id"), ("ts", "a moment"), ("session_id_prefix", "a session"), ("request_id", "digits")]
    {
        if entry[field].is_string() {
            entry[field] = put.into();
        }
    }
    if let Some(duration) = entry["duration_ms"].as_f64() {
        assert!(duration >= 0.0);
        entry["duration_ms"] = "milliseconds".into();
    }
    if let Some(details) = entry["details"].as_object_mut() {
        for field in ["key", "by_key", "system_user"] {
            if details.contains_key(field) {
                details[field] = "…".into();
            }
        }
        let of = details.get("of").and_then(Json::as_str).map(|of| of.replace(tenant, "tenant"));
        if let Some(of) = of {
            let id = of.len() == 36 && of.bytes().filter(|b| *b == b'-').count() == 4;
            details.insert("of".into(), if id { "an id".into() } else { of.into() });
        }
    }
}

async fn a_request_has_one_id_everywhere(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let refused = uma.query(json!({"action": "insert", "table": "vault", "data": {"name": "x"}})).await;
    let id = request_id(&refused).to_owned();
    assert!((8..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()));
    assert!(refused.body["error"].as_str().unwrap().ends_with(&format!("[request_id: {id}]")), "{}", refused.text);
    assert_eq!(refused.body["request_id"], id);
    let found = entries(&ada, &format!("request_id={id}")).await;
    assert_eq!(found.len(), 1);
    let entry = &found[0];
    assert_eq!(entry["request_id"], id);
    assert_eq!((&entry["action"], &entry["outcome"]), (&json!("insert"), &json!("table_denied")));
    assert_eq!((&entry["table"], &entry["status"], &entry["username"]), (&json!("vault"), &json!(403), &json!("uma")));
    assert_eq!((&entry["method"], &entry["path"]), (&json!("POST"), &json!("/query")));
    assert_eq!(entry["rows_affected"], Json::Null);
    drop(serving);
    program.end();
}

async fn a_batch_is_one_entry(backend: Backend) {
    let program = installation(backend);
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    let batch = |rollback: bool| {
        json!({"action": "insert", "table": "items", "rollback_on_error": rollback,
            "queries": [{"data": {"name": "a"}}, {"data": {"name": null}}, {"data": {"name": "b"}}]})
    };
    let partly = uma.query(batch(false)).await;
    let undone = uma.query(batch(true)).await;
    for (answer, outcome, status, rows) in [(partly, "partly_failed", 200, 2), (undone, "batch_failed", 400, 0)] {
        assert_eq!(answer.status, status, "{}", answer.text);
        let found = entries(&ada, &format!("request_id={}", request_id(&answer))).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["outcome"], outcome);
        assert_eq!(found[0]["status"], status);
        assert_eq!(found[0]["rows_affected"], rows);
        assert_eq!(found[0]["details"], json!({"queries": 3, "failed": 1}));
    }
    // What explains changes nothing, and what reads is not written down.
    let insert = json!({"action": "insert", "table": "items", "data": {"name": "c"}, "explain": true});
    assert_eq!(ada.query(insert).await.status, 200);
    assert!(entries(&ada, "action=insert&user_id=2").await.is_empty());
    assert!(entries(&ada, "action=select").await.is_empty());
    drop(serving);
    program.end();
}

async fn a_toolkit_tells_its_writes(backend: Backend) {
    let program = installation(backend);
    let text = "name = \"kit\"\ntables = [\"items\"]\n[db_fallback_permissions.10]\nendpoint_permissions = [\"*\"]\n\
         [endpoints.0]\npath = \"swap\"\ntype = \"internal\"\nrights = \"toolkit\"\npseudo_querys = [\"out\", \"in\", \"all\"]\n\
         [pseudo_querys.out]\naction = \"delete\"\ntable = \"items\"\nwhere = { name = \"$payload.out\" }\nexpect = { rows = 2 }\n\
         [pseudo_querys.in]\naction = \"insert\"\ntable = \"items\"\ndata = { name = \"$payload.in\" }\n\
         [pseudo_querys.all]\naction = \"count\"\ntable = \"items\"\n";
    program.file(&format!("data/tenants/{}/toolkits/kit.toml", program.tenant), text);
    let serving = program.serve().await;
    let (ada, uma) = (serving.user(&program.tenant, "ada").await, serving.user(&program.tenant, "uma").await);
    insert(&uma, "old").await;
    let swap = json!({"out": "old", "in": "new"});
    let undone = uma.post("/tk/app/kit/swap", &swap).await;
    assert_eq!(undone.refusal(), (409, "step_refused"));
    insert(&uma, "old").await;
    let done = uma.post("/tk/app/kit/swap", &swap).await;
    assert_eq!(done.status, 200, "{}", done.text);
    for (answer, expected) in [
        (undone, vec![("toolkit", Json::Null, Json::Null)]),
        (
            done,
            vec![
                ("delete", json!("items"), json!(2)),
                ("insert", json!("items"), json!(1)),
                ("toolkit", Json::Null, Json::Null),
            ],
        ),
    ] {
        let mut found = entries(&ada, &format!("request_id={}", request_id(&answer))).await;
        found.reverse();
        let told: Vec<_> = found
            .iter()
            .map(|entry| (entry["action"].as_str().unwrap(), entry["table"].clone(), entry["rows_affected"].clone()))
            .collect();
        assert_eq!(told, expected);
        assert!(
            found.iter().all(|entry| entry["username"] == "uma" && entry["path"] == "/tk/app/{toolkit}/{*path}"),
            "{found:#?}"
        );
        assert!(found.iter().all(|entry| entry["client_ip"].is_string()), "{found:#?}");
    }
    drop(serving);
    program.end();
}
