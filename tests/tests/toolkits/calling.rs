//! The order in which a call is looked at, and what each step refuses.

use insula_tests::{Backend, Client, World, on_all_databases};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::stage::{OPEN, kit};

on_all_databases!(every_step_refuses_in_its_order, paths_are_matched_whole);

const FLOW: &str = r#"
[endpoints.0]
path = "one"
type = "internal"
pseudo_querys = ["all"]
answer = "all"
client_filter = { allowed_fields = ["name"], required_fields = ["name"] }
max_body_size = "1KB"
[endpoints.1]
path = "read"
methods = ["GET"]
type = "internal"
pseudo_querys = ["all"]
[pseudo_querys.all]
action = "count"
table = "items"
"#;

async fn every_step_refuses_in_its_order(backend: Backend) {
    let world = kit(backend, &format!("{OPEN}{FLOW}")).await;
    let uma = world.user("uma", "users").await;
    let anonymous = world.at(&world.tenant);
    let guest = world.user("guest", "anonymous").await;
    // Whoever is not known learns nothing: not that a toolkit is missing, nor that a body is too large.
    let large = json!({"name": "x".repeat(4_000)});
    for path in ["/tk/app/kit/one", "/tk/app/none/one", "/tk/lib/kit/one", "/tk/app/kit"] {
        assert_eq!(anonymous.post(path, &large).await.refusal(), (401, "no_token"), "{path}");
    }
    let ask = async |path: &str| {
        let answer = uma.post(path, &large).await;
        (answer.refusal().0, answer.refusal().1.to_owned(), answer.body["endpoint"].as_str().map(str::to_owned))
    };
    let told = |status, reason: &str, endpoint: &str| (status, reason.to_owned(), Some(endpoint.to_owned()));
    assert_eq!(ask("/tk/app/none/one").await, told(404, "toolkit_unknown", "none/one"));
    assert_eq!(ask("/tk/lib/kit/one").await, told(404, "toolkit_unknown", "kit/one"), "the wrong prefix");
    assert_eq!(ask("/tk/app/kit/two").await, told(404, "endpoint_unknown", "kit/two"));
    assert_eq!(ask("/tk/app/kit/read").await, told(405, "method_not_allowed", "kit/read"));
    // A permission is looked at before the body, the body before the filter, the filter before the queries.
    assert_eq!(guest.post("/tk/app/kit/one", &large).await.refusal(), (403, "endpoint_denied"));
    assert_eq!(ask("/tk/app/kit/one").await, told(413, "body_too_large", "kit/one"));
    let missing = uma.post("/tk/app/kit/one", &json!({})).await;
    assert_eq!((missing.refusal(), missing.field()), ((400, "field_missing"), "name"));
    let denied = uma.post("/tk/app/kit/one", &json!({"name": "x"})).await;
    assert_eq!(denied.refusal(), (403, "table_denied"), "the caller's rights decide");
    let wrong = uma.send(Method::POST, "/tk/app/kit/read", &[], None).await;
    assert_eq!(wrong.headers["allow"], "GET, HEAD");
    let wrong = uma.send(Method::DELETE, "/tk/app/kit/read", &[], None).await;
    assert_eq!(wrong.status, 405);
    let head = world.user("root", "administrators").await.send(Method::HEAD, "/tk/app/kit/read", &[], None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert!(uma.get("/tk/app/kit").await.status == 404);
    world.end().await;
}

/// Asks for a path that polite clients would mend before they send it.
async fn as_it_is(world: &World, client: &Client, path: &str) -> String {
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    let (host, token) = (world.tenant.domain.as_deref().unwrap(), client.token.as_deref().unwrap());
    let head = format!(
        "GET /tk/app/kit/{path} HTTP/1.1\r\nHost: api.{host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn paths_are_matched_whole(backend: Backend) {
    let endpoint = |number: u8, path: &str, note: &str| {
        format!(
            "[endpoints.{number}]\npath = \"{path}\"\nmethods = [\"GET\"]\ntype = \"internal\"\nrights = \"toolkit\"\n\
             pseudo_querys = [\"{note}\", \"last\"]\nanswer = \"last\"\n\
             [pseudo_querys.{note}]\naction = \"insert\"\ntable = \"log\"\ndata = {{ what = \"{note}\", who = \"$user_id\" }}\n"
        )
    };
    let text = [
        OPEN,
        &endpoint(0, "files/list", "exact"),
        &endpoint(1, "files/{name}", "named"),
        &endpoint(2, "files/*", "rest"),
        "[endpoints.3]\npath = \"echo/{name}/*\"\nmethods = [\"GET\"]\ntype = \"internal\"\nrights = \"toolkit\"\n\
         pseudo_querys = [\"echo\", \"last\"]\nanswer = \"last\"\n[pseudo_querys.echo]\naction = \"insert\"\ntable = \"log\"\n\
         data = { what = \"$payload._path.*\" }\n\
         [pseudo_querys.last]\naction = \"select\"\ntable = \"log\"\ncolumns = [\"what\"]\n\
         order_by = [{ column = \"id\", direction = \"DESC\" }]\nlimit = 1\nsingle = true\n",
    ];
    let world = kit(backend, &text.concat()).await;
    let uma = world.user("uma", "users").await;
    let said = async |path: &str| {
        let answer = uma.get(&format!("/tk/app/kit/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.body["data"]["what"].as_str().unwrap().to_owned()
    };
    assert_eq!(said("files/list").await, "exact");
    assert_eq!(said("files/list/").await, "exact");
    assert_eq!(said("files/other").await, "named");
    assert_eq!(said("files/a/b").await, "rest");
    assert_eq!(said("echo/x/a%20b/c").await, "a b/c");
    for path in
        ["files", "files/a/../b", "files/%2e%2e/b", "files/.", "files/a%2Fb", "files//b", "files/a%00", "files/a%5cb"]
    {
        let answer = as_it_is(&world, &uma, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("endpoint_unknown"), "{path}: {answer}");
    }
    world.end().await;
}
