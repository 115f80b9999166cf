//! What several stories need: pairs of tokens, and a look behind the server's back.

use std::time::Duration;

use insula_tests::{Answer, Client, World};
use kernel::{Tenant, WriteContext, time::Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value as Json, json};
use store::Value;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// How long a node may believe what it has read of a session.
pub(crate) const BELIEVED: Duration = Duration::from_millis(3_200);

/// Logs in and gives the whole answer.
pub(crate) async fn log_in(client: &Client, username: &str) -> Json {
    let body = json!({"method": "password", "username": username, "password": PASSWORD});
    let answer = client.post("/auth/login", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

/// A text field of an answer.
pub(crate) fn text<'a>(answer: &'a Json, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer}"))
}

pub(crate) async fn refresh(client: &Client, token: &str) -> Answer {
    client.post("/auth/refresh", &json!({"refresh_token": token})).await
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond(kernel::time::now().as_microsecond() - seconds * 1_000_000).unwrap()
}

/// Sets columns in all rows of one of the tenant's system tables, behind the server's back; tells how many.
pub(crate) async fn set(world: &World, tenant: &Tenant, table: &'static str, values: &[(&'static str, Value)]) -> u64 {
    let open = world.open(tenant).await;
    let mut update = Query::update();
    update.table(open.system.ddl().table(table));
    for (name, value) in values {
        update.value(Alias::new(*name), Expr::from(value.clone()));
    }
    let context = WriteContext::system();
    let work = open.system.transaction(&context, move |transaction| {
        let update = update.clone();
        Box::pin(async move { transaction.execute(&update).await })
    });
    work.await.unwrap()
}

/// Rows of one of the tenant's system tables.
pub(crate) async fn rows(
    world: &World,
    tenant: &Tenant,
    table: &'static str,
    columns: &[&'static str],
) -> Vec<store::Row> {
    let open = world.open(tenant).await;
    let mut select = Query::select();
    select.columns(columns.iter().map(|name| Alias::new(*name))).from(open.system.ddl().table(table));
    select.and_where(Expr::col(Alias::new(columns[0])).is_not_null());
    open.system.read(&select).await.unwrap()
}
