//! Services behind endpoints: what they are sent, what of theirs comes back, and what a hostile one achieves.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use insula_tests::{Backend, on_all_databases};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::stage::{OPEN, kit, service};

on_all_databases!(
    a_service_gets_the_context_and_no_secret,
    answers_are_passed_on_byte_by_byte,
    hostile_services_cost_one_call
);

/// What the service saw.
type Seen = Arc<Mutex<Vec<(String, HeaderMap, Json)>>>;

fn endpoint(path: &str, rest: &str) -> String {
    format!("[[endpoints]]\npath = \"{path}\"\nmethods = [\"GET\", \"POST\"]\ntype = \"http\"\nretries = 0\n{rest}\n")
}

async fn a_service_gets_the_context_and_no_secret(backend: Backend) {
    let seen = Seen::default();
    let record = Arc::clone(&seen);
    let answer = move |uri: Uri, headers: HeaderMap, body: String| async move {
        record.lock().push((uri.to_string(), headers, serde_json::from_str(&body).unwrap_or_default()));
        r#"{"big": 12345678901234567890, "exact": 1.10}"#
    };
    let address = service(Router::new().fallback(any(answer))).await;
    let queries = "[pseudo_querys.names]\naction = \"select\"\ntable = \"items\"\ncolumns = [\"name\"]\nwhere = { name = \"$payload.name\" }\n";
    let text = [
        OPEN,
        &endpoint(
            "ask/{what}",
            &format!(
                "url = \"http://{address}/v1/{{what}}?fixed=1\"\nheaders = {{ Authorization = \"Bearer upstream-secret\" }}\ninject_db_context = [\"names\"]"
            ),
        ),
        &endpoint("whole", &format!("url = \"http://{address}/\"\noverwrite_wrapping = true")),
        queries,
    ];
    let world = kit(backend, &text.concat()).await;
    let (root, uma) = (world.user("root", "administrators").await, world.user("uma", "users").await);
    root.query(json!({"action": "insert", "table": "items", "data": {"name": "saw"}})).await.data();
    let told = root.post("/tk/app/kit/ask/a%20b", &json!({"name": "saw"})).await;
    assert_eq!(told.text, r#"{"success":true,"data":{"big": 12345678901234567890, "exact": 1.10}}"#);
    let (uri, headers, context) = seen.lock().pop().unwrap();
    assert_eq!(uri, "/v1/a%20b?fixed=1");
    assert_eq!(headers["authorization"], "Bearer upstream-secret");
    assert_eq!(headers["x-request-id"].to_str().unwrap(), told.headers["x-request-id"].to_str().unwrap());
    let expected = json!({
        "user_id": 1, "username": "root", "power": 100, "core_group_id": context["core_group_id"],
        "core_group_name": "administrators", "toolkit_group": "power:10",
        "request_id": headers["x-request-id"].to_str().unwrap(),
        "payload": {"name": "saw", "_path": {"what": "a b"}}, "db_context": {"names": [{"name": "saw"}]},
    });
    assert_eq!(context, expected, "this and nothing else");
    let token = root.token.clone().unwrap();
    for (name, value) in &headers {
        assert!(!value.to_str().unwrap().contains(&token), "the caller's token went out in {name}");
    }
    let whole = root.post("/tk/app/kit/whole", &json!({})).await;
    assert_eq!(whole.text, r#"{"big": 12345678901234567890, "exact": 1.10}"#);
    // What is read before is read with the caller's rights.
    let calls = seen.lock().len();
    assert_eq!(uma.post("/tk/app/kit/ask/x", &json!({"name": "saw"})).await.refusal(), (403, "table_denied"));
    assert_eq!(seen.lock().len(), calls, "a refused call asks nobody");
    world.end().await;
}

async fn answers_are_passed_on_byte_by_byte(backend: Backend) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    let file = bytes.clone();
    let routes = Router::new()
        .route(
            "/file",
            get(move |headers: HeaderMap| async move {
                if headers.get("range").is_some() {
                    let part = file[..10].to_vec();
                    let headers = [("content-range", "bytes 0-9/3000000"), ("content-type", "application/pdf")];
                    return (StatusCode::PARTIAL_CONTENT, headers, part).into_response();
                }
                let headers = [
                    ("content-type", "application/pdf"),
                    ("content-disposition", "attachment; filename=\"a.pdf\""),
                    ("etag", "\"v1\""),
                    ("set-cookie", "stolen=1"),
                    ("connection", "x-inner"),
                    ("x-inner", "1"),
                ];
                (headers, file.clone()).into_response()
            }),
        )
        .route("/missing", get(|| async { (StatusCode::NOT_FOUND, [("content-type", "text/html")], "<h1>no</h1>") }))
        .route("/post", post(|body: String| async move { ([("content-type", "text/plain; charset=utf-8")], body) }));
    let address = service(routes).await;
    let passthrough = |path: &str, method: &str| {
        endpoint(
            path,
            &format!("url = \"http://{address}/{path}\"\nmethod = \"{method}\"\nresponse_format = \"passthrough\""),
        )
    };
    let text = [OPEN, &passthrough("file", "GET"), &passthrough("missing", "GET"), &passthrough("post", "POST")];
    let world = kit(backend, &text.concat()).await;
    let uma = world.user("uma", "users").await;
    let raw = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = world.server.url().to_owned();
    let host = format!("api.{}", world.tenant.domain.as_deref().unwrap());
    let ask = async |path: &str, range: Option<&str>| {
        let request = raw.get(format!("{url}/tk/app/kit/{path}")).header("host", &host);
        let request = request.bearer_auth(uma.token.as_deref().unwrap());
        let request = range.into_iter().fold(request, |request, range| request.header("range", range));
        request.send().await.unwrap()
    };
    let answer = ask("file", None).await;
    let headers = answer.headers().clone();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    assert_eq!(header("content-type").as_deref(), Some("application/pdf"));
    assert_eq!(header("content-disposition").as_deref(), Some("attachment; filename=\"a.pdf\""));
    assert_eq!((header("etag").as_deref(), header("content-length").as_deref()), (Some("\"v1\""), Some("3000000")));
    assert_eq!((header("set-cookie"), header("x-inner")), (None, None));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    assert!(header("x-request-id").is_some());
    let part = ask("file", Some("bytes=0-9")).await;
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().len()), (206, 10));
    // A refusal of the service is its own, in its own words.
    let missing = uma.get("/tk/app/kit/missing").await;
    assert_eq!((missing.status, missing.text.as_str()), (404, "<h1>no</h1>"));
    assert_eq!(missing.headers["content-type"], "text/html");
    let posted = uma.post("/tk/app/kit/post", &json!({"a": 1})).await;
    assert_eq!(posted.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(posted.body["payload"], json!({"a": 1}));
    world.end().await;
}

async fn hostile_services_cost_one_call(backend: Backend) {
    let slow = |_: Request| async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        "{}"
    };
    let endless = || async {
        let zeros = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'0'; 10_000]));
        Response::new(Body::from_stream(zeros))
    };
    let routes = Router::new()
        .route("/slow", any(slow))
        .route("/endless", any(endless))
        .route("/text", any(|| async { "not json" }))
        .route("/list", any(|| async { "[1]" }))
        .route("/fails", any(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "{\"trace\": \"/etc/secret\"}") }))
        .route("/away", any(|| async { (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")], "") }));
    let address = service(routes).await;
    let json = |path: &str, rest: &str| {
        endpoint(path, &format!("url = \"http://{address}/{path}\"\nbreaker_failures = 0\n{rest}"))
    };
    let text = [
        OPEN,
        &json("slow", "timeout = \"300ms\""),
        &json("endless", "max_response_size = \"1MB\""),
        &json("text", ""),
        &json("list", "overwrite_wrapping = true"),
        &json("fails", ""),
        &json("away", ""),
        &endpoint("gone", "url = \"http://127.0.0.1:9/\""),
        &endpoint("weary", "url = \"http://127.0.0.1:9/\"\nbreaker_failures = 2\nbreaker_pause = \"1h\""),
    ];
    let world = kit(backend, &text.concat()).await;
    let uma = world.user("uma", "users").await;
    for (path, status, reason) in [
        ("slow", 504, "upstream_timeout"),
        ("endless", 502, "upstream_invalid"),
        ("text", 502, "upstream_invalid"),
        ("list", 502, "upstream_invalid"),
        ("fails", 502, "upstream_invalid"),
        ("away", 502, "upstream_invalid"),
        ("gone", 502, "upstream_unavailable"),
    ] {
        let answer = uma.post(&format!("/tk/app/kit/{path}"), &json!({})).await;
        assert_eq!(answer.refusal(), (status, reason), "{path}: {}", answer.text);
        assert_eq!(answer.body["endpoint"], format!("kit/{path}"));
        assert!(!answer.text.contains("127.0.0.1") && !answer.text.contains("secret"), "{}", answer.text);
    }
    for status in [502, 502, 503] {
        assert_eq!(uma.post("/tk/app/kit/weary", &json!({})).await.status, status);
    }
    // A reload that changes nothing about an endpoint leaves its memory.
    let root = world.user("root", "administrators").await;
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    assert_eq!(uma.post("/tk/app/kit/weary", &json!({})).await.status, 503);
    assert_eq!(uma.send(Method::GET, "/health", &[], None).await.status, 200);
    world.end().await;
}
