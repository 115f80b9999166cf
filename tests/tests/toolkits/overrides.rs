//! Places of single users, whatever their group has.

use insula_tests::{Backend, on_all_databases};
use reqwest::Method;
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};
use store::Value;

use crate::stage::kit;

on_all_databases!(an_override_beats_the_group, only_the_mightiest_give_places, what_is_broken_is_none);

const KIT: &str = r#"
name = "kit"
tables = ["items"]
[groups.readers]
permissions = ["items:r"]
endpoint_permissions = ["read"]
[groups.nobody]
[associations]
users = "readers"
[[endpoints]]
path = "read"
type = "internal"
pseudo_querys = ["count"]
answer = "count"
[pseudo_querys.count]
action = "count"
table = "items"
"#;

async fn patch(client: &insula_tests::Client, id: &str, body: Json) -> insula_tests::Answer {
    let json = [("content-type", "application/json")];
    client.send(Method::PATCH, &format!("/admin/users/{id}"), &json, Some(body.to_string().into())).await
}

async fn an_override_beats_the_group(backend: Backend) {
    let world = kit(backend, KIT).await;
    let root = world.user("root", "administrators").await;
    let (uma, mona) = (world.user("uma", "users").await, world.user("mona", "moderators").await);
    let read = async |client: &insula_tests::Client| client.post("/tk/app/kit/read", &json!({})).await.status;
    let key =
        uma.post("/auth/keys", &json!({"kind": "pat", "name": "one", "scopes": ["toolkits.call", "data.read"]})).await;
    let key = uma.with_token(key.body["secret"].as_str().unwrap());
    assert_eq!((read(&uma).await, read(&key).await, read(&mona).await), (200, 200, 403));
    let shown = patch(&root, "2", json!({"toolkit_overrides": [{"toolkit": "kit", "group": "nobody"}]})).await;
    assert_eq!(
        shown.body["user"]["toolkit_overrides"],
        json!([{"toolkit": "kit", "group": "nobody"}]),
        "{}",
        shown.text
    );
    patch(
        &root,
        "3",
        json!({"toolkit_overrides": [{"toolkit": "kit", "group": "readers"}, {"toolkit": "x", "group": "y"}]}),
    )
    .await;
    assert_eq!((read(&uma).await, read(&key).await, read(&mona).await), (403, 403, 200), "at once, for keys too");
    assert_eq!(mona.query(json!({"action": "count", "table": "items"})).await.data(), &json!(0));
    // A group that does not exist is no place, and not that of the group either.
    patch(&root, "2", json!({"toolkit_overrides": [{"toolkit": "kit", "group": "gone"}]})).await;
    assert_eq!(read(&uma).await, 403);
    let none = patch(&root, "2", json!({"toolkit_overrides": null})).await;
    assert_eq!(none.body["user"]["toolkit_overrides"], json!([]));
    assert_eq!((read(&uma).await, read(&key).await), (200, 200));
    world.end().await;
}

async fn only_the_mightiest_give_places(backend: Backend) {
    let world = kit(backend, KIT).await;
    let root = world.user("root", "administrators").await;
    world.user("uma", "users").await;
    world
        .change_group(identity::GroupChange {
            name: "chiefs".into(),
            power: Some(95),
            abilities: Some(vec!["groups.manage".into()]),
            ..identity::GroupChange::default()
        })
        .await;
    let chief = world.user("carl", "chiefs").await;
    let own = json!({"toolkit_overrides": [{"toolkit": "kit", "group": "readers"}]});
    for id in ["2", "3"] {
        let refused = patch(&chief, id, own.clone()).await;
        assert_eq!((refused.refusal(), refused.field()), ((403, "power_too_low"), "toolkit_overrides"), "{id}");
    }
    let key =
        root.post("/auth/keys", &json!({"kind": "pat", "name": "one", "scopes": ["users.manage", "users.read"]})).await;
    let key = root.with_token(key.body["secret"].as_str().unwrap());
    assert_eq!(patch(&key, "2", own).await.refusal().1, "scope_missing");
    for (wrong, field) in [
        (json!([{"toolkit": "", "group": "a"}]), "toolkit_overrides[0].toolkit"),
        (json!([{"toolkit": "a", "group": "a"}, {"toolkit": "a", "group": "b"}]), "toolkit_overrides[1].toolkit"),
        (json!([{"toolkit": "a"}]), "toolkit_overrides[0].group"),
        (json!([{"toolkit": "a", "group": "b", "power": 100}]), "toolkit_overrides[0].power"),
        (json!("kit:readers"), "toolkit_overrides"),
    ] {
        let refused = patch(&root, "2", json!({"toolkit_overrides": wrong})).await;
        assert_eq!((refused.status, refused.field()), (400, field), "{}", refused.text);
    }
    world.end().await;
}

async fn what_is_broken_is_none(backend: Backend) {
    let world = kit(backend, KIT).await;
    let uma = world.user("uma", "users").await;
    let open = world.open(&world.tenant).await;
    let ddl = open.system.ddl();
    open.system
        .transaction(&kernel::WriteContext::system(), move |transaction| {
            let mut update = Query::update();
            update.table(ddl.table("_users")).and_where(Expr::col(Alias::new("number")).eq(1));
            update.value(Alias::new("toolkit_overrides"), Expr::from(Value::from(r#"[{"toolkit":"kit","group":5}]"#)));
            Box::pin(async move { transaction.execute(&update).await })
        })
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(uma.post("/tk/app/kit/read", &json!({})).await.status, 200);
    world.end().await;
}
