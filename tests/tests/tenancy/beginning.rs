//! A new installation has no tenant; the first is made over HTTP.

use std::os::unix::fs::PermissionsExt;

use insula::{Config, Options, Server};
use insula_tests::{Answer, Client};
use reqwest::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

const DOORS: [&str; 2] = ["/api/insula/init", "/api/walnut@daplie.com/init"];
const LOCAL: [(&str, &str); 2] = [("content-type", "application/json"), ("x-forwarded-proto", "https")];

struct Bare {
    server: Server,
    data: TempDir,
}

impl Bare {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config { data: data.path().to_owned(), ..Config::default() };
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.rate_limit.enabled = false;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.identity.password_memory = kernel::ByteSize(1 << 20);
        let server = Server::start(Options { config, ..Options::default() }).await.unwrap();
        Self { server, data }
    }

    fn client(&self) -> Client {
        Client::of(self.server.url())
    }
}

async fn init(client: &Client, door: &str, headers: &[(&str, &str)], body: &Json) -> Answer {
    client.send(Method::POST, door, headers, Some(body.to_string().into_bytes())).await
}

#[tokio::test]
async fn before_it_is_initialised_a_server_does_nothing_else() {
    let bare = Bare::new().await;
    let client = bare.client();
    let document = client.get("/openapi.json").await.body;
    for path in ["/", "/health", "/openapi.json", "/docs"] {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
    let open = ["/", "/health", "/docs", DOORS[0], DOORS[1]];
    let closed = document["paths"].as_object().unwrap().iter().filter(|(path, _)| !open.contains(&path.as_str()));
    let mut routes: Vec<_> = closed
        .flat_map(|(path, operations)| operations.as_object().unwrap().keys().map(move |method| (path.clone(), method)))
        .map(|(path, method)| (path, method.to_uppercase()))
        .collect();
    assert!(routes.len() >= 8, "{routes:?}");
    routes.extend([("/nothing".into(), "GET".into()), ("/".into(), "POST".into()), (DOORS[0].into(), "GET".into())]);
    for (path, method) in routes {
        for client in [client.clone(), client.at_host("api.example.com"), client.with_token("a.b.c")] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = client.send(method, &path, &LOCAL, None).await;
            assert_eq!(answer.refusal(), (503, "not_initialised"), "{path}: {}", answer.text);
        }
    }
    bare.server.stop().await.unwrap();
}

#[tokio::test]
async fn only_who_may_initialises() {
    let bare = Bare::new().await;
    let client = bare.client();
    let body = json!({"domain": "example.com"});
    let plain = [LOCAL[0]];
    assert_eq!(init(&client, DOORS[0], &plain, &body).await.refusal(), (400, "bad_request"), "not over HTTPS");
    let strange = client.at_host("api.example.com");
    assert_eq!(init(&strange, DOORS[0], &LOCAL, &body).await.refusal(), (421, "host_unknown"));
    let far = ("x-forwarded-for", "203.0.113.9");
    let refused = init(&client, DOORS[0], &[LOCAL[0], LOCAL[1], far], &body).await;
    assert_eq!(refused.refusal(), (403, "address_not_allowed"));
    let wrong = [LOCAL[0], LOCAL[1], far, ("x-setup-token", "wrong")];
    assert_eq!(init(&client, DOORS[0], &wrong, &body).await.refusal(), (403, "address_not_allowed"));
    for unfit in ["", "nodots", "exa mple.com", "10.0.0.1", "-a.example"] {
        let answer = init(&client, DOORS[0], &LOCAL, &json!({"domain": unfit})).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "domain"), "{unfit}");
    }
    let file = bare.data.path().join("setup-token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(&file).unwrap();
    let right = [LOCAL[0], LOCAL[1], far, ("x-setup-token", token.trim())];
    let client = client.at_host("api.localhost.daplie.me");
    assert_eq!(init(&client, DOORS[1], &right, &body).await.status, 200);
    assert!(!file.exists(), "the token has done its service");
    assert_eq!(init(&client, DOORS[1], &right, &body).await.refusal(), (409, "already_initialised"));
    bare.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_at_once_one_succeeds() {
    let bare = Bare::new().await;
    let mut all = JoinSet::new();
    for number in 0..20 {
        let client = bare.client().at_host("api.localhost");
        let admin = json!({"username": format!("admin{number}"), "password": "correct horse battery"});
        let body = json!({"domain": format!("site{number}.example"), "admin": admin});
        all.spawn(async move { (number, init(&client, DOORS[number % 2], &LOCAL, &body).await) });
    }
    let answers = all.join_all().await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, answer)| answer.status == 200);
    assert_eq!((done.len(), refused.len()), (1, 19));
    for (_, answer) in refused {
        assert_eq!(answer.refusal(), (409, "already_initialised"));
    }
    let (winner, answer) = &done[0];
    let (name, domain) = (format!("site{winner}-example"), format!("site{winner}.example"));
    let expected = json!({"success": true, "domain": domain, "tenant": name, "api": format!("https://api.{domain}/")});
    assert_eq!(answer.body, expected);
    // From that answer on, without a restart.
    let at = bare.client().at_host(format!("api.{domain}"));
    let admin = at.log_in(&format!("admin{winner}"), "correct horse battery").await;
    assert_eq!(admin.get("/auth/status").await.body["user"]["power"], 100);
    assert_eq!(at.get("/permissions").await.refusal(), (401, "no_token"));
    let loser = (winner + 1) % 20;
    assert_eq!(bare.client().at_host(format!("api.site{loser}.example")).get("/").await.refusal().0, 421);
    bare.server.stop().await.unwrap();
}
