//! What the stories of this suite share.

use insula_tests::{Answer, Client, World};
use kernel::WriteContext;
use reqwest::Method;
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};
use store::Value;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Keeps a value by the API.
pub(crate) async fn put(admin: &Client, setting: &str, value: Json) -> Answer {
    let body = json!({"value": value}).to_string().into_bytes();
    let json = [("content-type", "application/json")];
    admin.send(Method::PUT, &format!("/admin/settings/{setting}"), &json, Some(body)).await
}

/// The same, which must succeed.
pub(crate) async fn keep(admin: &Client, setting: &str, value: Json) {
    let answer = put(admin, setting, value).await;
    assert_eq!(answer.status, 200, "{setting}: {}", answer.text);
}

/// Forgets a value by the API.
pub(crate) async fn unset(admin: &Client, setting: &str) -> Answer {
    admin.send(Method::DELETE, &format!("/admin/settings/{setting}"), &[], None).await
}

/// A setting as the API shows it.
pub(crate) async fn shown(admin: &Client, setting: &str) -> Json {
    let answer = admin.get("/admin/settings").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let all = answer.body["settings"].as_array().unwrap();
    all.iter().find(|shown| shown["setting"] == setting).unwrap_or_else(|| panic!("{setting} is not shown")).clone()
}

/// Value and source of a setting.
pub(crate) async fn in_force(admin: &Client, setting: &str) -> (Json, Json) {
    let shown = shown(admin, setting).await;
    (shown["value"].clone(), shown["source"].clone())
}

/// Writes into the table as another program does.
pub(crate) async fn write(world: &World, setting: &'static str, value: &'static str) {
    let open = world.open(&world.tenant).await;
    let ddl = open.system.ddl();
    let context = WriteContext::system();
    let written = open.system.transaction(&context, move |transaction| {
        let mut delete = Query::delete();
        delete.from_table(ddl.table("_settings")).and_where(Expr::col(Alias::new("setting")).eq(setting));
        let mut insert = Query::insert();
        insert.into_table(ddl.table("_settings")).columns(["setting", "value"].map(Alias::new));
        insert.values([Value::from(setting), Value::from(value)].map(Expr::from)).unwrap();
        Box::pin(async move {
            transaction.execute(&delete).await?;
            transaction.execute(&insert).await
        })
    });
    assert_eq!(written.await.unwrap(), 1);
}
