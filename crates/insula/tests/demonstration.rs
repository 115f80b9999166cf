//! The demonstration, started in this process as `insula serve --demo` starts it.

#![expect(clippy::unwrap_used, reason = "a test that fails has failed")]

use insula::{Config, Options, Server};
use kernel::{Secret, WriteContext};
use serde_json::{Value, json};
use testkit::Backend;

testkit::on_all_databases!(every_account_sees_what_its_group_may);

async fn start(data: &std::path::Path, backend: Backend) -> Server {
    let mut config = Config { data: data.to_owned(), ..Config::default() };
    config.store.database = Secret::new(backend.url());
    config.server.listen.set_port(0);
    Server::start(Options { config, demo: true, ..Options::default() }).await.unwrap()
}

struct Client<'a> {
    server: &'a Server,
    http: reqwest::Client,
}

impl Client<'_> {
    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.server.url())).json(&body);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn log_in(&self, username: &str) -> String {
        let accounts = self.server.ready().accounts.as_ref().unwrap();
        let account = accounts.iter().find(|account| account.username == username).unwrap();
        let body = json!({ "method": "password", "username": username, "password": account.password });
        let (status, answer) = self.post("/auth/login", None, body).await;
        assert_eq!((status, &answer["user"]["role"]), (200, &json!(account.group)), "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    }

    async fn count(&self, token: &str, table: &str) -> u64 {
        let (_, answer) = self.post("/query", Some(token), json!({ "action": "count", "table": table })).await;
        answer["data"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }
}

async fn every_account_sees_what_its_group_may(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), backend).await;
    let client = Client { server: &server, http: reqwest::Client::new() };
    let (ada, uma) = (client.log_in("ada").await, client.log_in("uma").await);

    let mut rows = 0;
    for table in server.ready().tables.as_ref().unwrap() {
        rows += client.count(&ada, table).await;
    }
    assert_eq!(rows, 15_400);
    let (all, own) = (client.count(&ada, "loans").await, client.count(&uma, "loans").await);
    assert!(own > 0 && own < all);
    assert!(client.count(&uma, "assets").await < client.count(&ada, "assets").await, "the row rule hides retired ones");

    let loan = json!({ "action": "insert", "table": "loans", "data": { "asset_id": 1, "person_id": 1, "due_on": "2026-12-24" } });
    let (status, answer) = client.post("/query", Some(&uma), loan).await;
    assert_eq!((status, answer["rows_affected"].as_u64()), (200, Some(1)), "{answer}");
    assert_eq!(client.count(&uma, "loans").await, own + 1);

    let guest = client.log_in("guest").await;
    let select = json!({ "action": "select", "table": "assets", "limit": 1 });
    let (_, answer) = client.post("/query", Some(&guest), select).await;
    let row = answer["data"][0].as_object().unwrap();
    assert!(row.contains_key("tag") && !row.contains_key("price"), "{answer}");
    let (status, _) = client.post("/query", Some(&guest), json!({ "action": "count", "table": "loans" })).await;
    assert_eq!(status, 403);
    let tenants = &server.installation().tenants;
    tenants.delete(&tenants.by_name("demo").await.unwrap(), &WriteContext::system()).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_start_finds_the_same_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path(), Backend::Sqlite).await;
    let accounts = first.ready().accounts.clone();
    first.stop().await.unwrap();

    let second = start(folder.path(), Backend::Sqlite).await;
    assert_eq!(second.ready().accounts, accounts);
    Client { server: &second, http: reqwest::Client::new() }.log_in("mona").await;
    second.stop().await.unwrap();

    // Without the file there are new passwords for the same accounts.
    std::fs::remove_file(folder.path().join("demo.json")).unwrap();
    let third = start(folder.path(), Backend::Sqlite).await;
    assert_ne!(third.ready().accounts, accounts);
    Client { server: &third, http: reqwest::Client::new() }.log_in("mona").await;
    third.stop().await.unwrap();
}
