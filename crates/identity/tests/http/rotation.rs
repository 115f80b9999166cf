//! Signing keys that give way to newer ones, on one node and on several.

use crate::support::{App, PASSWORD, cheap};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use identity::{IdentityConfig, TokenAlgorithm};
use kernel::{WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, Query};
use serde_json::{Value, json};

fn header(token: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp::from_second(kernel::time::now().as_second() - days * 24 * 3_600).unwrap()
}

/// Sets a moment in all rows of the signing keys.
async fn set(app: &App, column: &'static str, moment: Timestamp) {
    let (_, open) = app.tenant("example").await;
    let mut update = Query::update();
    update.table(open.system.ddl().table("_signing_keys"));
    update.value(Alias::new(column), Expr::from(store::Value::from(moment)));
    let context = WriteContext::system();
    let work = open.system.transaction(&context, move |transaction| {
        let update = update.clone();
        Box::pin(async move { transaction.execute(&update).await.map(drop) })
    });
    work.await.unwrap();
}

async fn keys(app: &App) -> Vec<Value> {
    app.send("GET", "/.well-known/jwks.json", &[], None).await.body["keys"].as_array().unwrap().clone()
}

fn es256() -> IdentityConfig {
    IdentityConfig { token_algorithm: TokenAlgorithm::Es256, ..cheap() }
}

#[tokio::test]
async fn an_old_key_gives_way_and_verifies_until_its_tokens_have_ended() {
    let app = App::start(cheap()).await;
    let old = app.login("admin", PASSWORD).await.token();
    set(&app, "created_at", days_ago(91)).await;
    // The next start of the program, or another node.
    let next = app.another(cheap()).await;
    assert_eq!(next.status(&old).await.status, 200);
    let new = next.login("admin", PASSWORD).await.token();
    assert_ne!(header(&old)["kid"], header(&new)["kid"]);
    assert_eq!((next.status(&old).await.status, next.status(&new).await.status), (200, 200));
    // A node that knows only the old key learns of the new one from a token.
    assert_eq!(app.status(&new).await.status, 200);
    assert_eq!(keys(&next).await.len(), 2);
    // Once it is retired, nothing that it signed is good, and nobody is told of it.
    set(&app, "retired_at", days_ago(1)).await;
    let (_, open) = app.tenant("example").await;
    let later = app.another(cheap()).await;
    assert_eq!(later.status(&old).await.status, 401);
    let kids: Vec<_> = keys(&later).await.iter().map(|key| key["kid"].clone()).collect();
    assert!(!kids.contains(&header(&old)["kid"]), "{kids:?}");
    drop(open);
}

#[tokio::test]
async fn another_algorithm_is_another_key() {
    let app = App::start(cheap()).await;
    let old = app.login("admin", PASSWORD).await.token();
    let changed = app.another(es256()).await;
    let new = changed.login("admin", PASSWORD).await.token();
    assert_eq!((&header(&old)["alg"], &header(&new)["alg"]), (&json!("EdDSA"), &json!("ES256")));
    for node in [&app, &changed] {
        assert_eq!((node.status(&old).await.status, node.status(&new).await.status), (200, 200));
    }
    let kinds: Vec<_> = keys(&changed).await.iter().map(|key| key["alg"].clone()).collect();
    assert_eq!(kinds, [json!("ES256"), json!("EdDSA")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_at_once_make_one_key() {
    let app = App::start(cheap()).await;
    app.login("admin", PASSWORD).await;
    set(&app, "created_at", days_ago(91)).await;
    let (first, second) = (app.another(cheap()).await, app.another(cheap()).await);
    let (one, two) = tokio::join!(first.login("admin", PASSWORD), second.login("admin", PASSWORD));
    assert_eq!(header(&one.token())["kid"], header(&two.token())["kid"]);
    assert_eq!(keys(&first).await.len(), 2);
    for node in [&first, &second] {
        assert_eq!((node.status(&one.token()).await.status, node.status(&two.token()).await.status), (200, 200));
    }
}

#[tokio::test]
async fn on_demand() {
    let app = App::start(cheap()).await;
    let old = app.login("admin", PASSWORD).await.token();
    let (tenant, _) = app.tenant("example").await;
    let kids = [app.identity.rotate_signing_keys(&tenant).await, app.identity.rotate_signing_keys(&tenant).await];
    let kids = kids.map(Result::unwrap);
    assert_eq!(kids, [format!("{}.2", tenant.id), format!("{}.3", tenant.id)]);
    let new = app.login("admin", PASSWORD).await.token();
    assert_eq!(header(&new)["kid"], json!(kids[1]));
    assert_eq!((app.status(&old).await.status, app.status(&new).await.status), (200, 200));
    let listed: Vec<_> = keys(&app).await.iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(listed, [json!(kids[1]), json!(kids[0]), header(&old)["kid"].clone()]);
}
