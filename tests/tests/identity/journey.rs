//! What a page and a browser do on a journey to a provider.

use std::collections::HashMap;

use insula::Config;
use insula_tests::{Answer, Backend, Callback, Client, OpenIdServer, World};
use kernel::Tenant;
use reqwest::{Method, Url};
use serde_json::{Value as Json, json};

/// The table of a provider at a server that is trusted with addresses.
pub(crate) fn table(server: &OpenIdServer) -> Json {
    json!({
        "issuer": server.issuer(), "client_id": server.client_id(), "client_secret": server.client_secret(),
        "trust_email": true, "allow_http": true,
    })
}

/// A world with the providers `acme` and `beta`, both of which are the server, and with room for many sessions.
pub(crate) async fn world(backend: Backend, server: &OpenIdServer, change: impl FnOnce(&mut Config)) -> World {
    World::configured(backend, |config| {
        for name in ["acme", "beta"] {
            config.identity.providers.insert(name.to_owned(), serde_json::from_value(table(server)).unwrap());
        }
        config.identity.max_concurrent_sessions = 1_000.try_into().unwrap();
        change(config);
    })
    .await
}

/// A page of the tenant's.
pub(crate) fn page(tenant: &Tenant) -> String {
    format!("https://{}/welcome", tenant.domain.as_deref().unwrap())
}

/// A journey that a page has begun.
pub(crate) struct Begun {
    pub(crate) url: String,
    pub(crate) proof: String,
}

/// What a page asks to begin a journey.
pub(crate) async fn ask(client: &Client, provider: &str, page: &str) -> Answer {
    let query = Url::parse_with_params("http://query/", [("redirect_to", page)]).unwrap().query().unwrap().to_owned();
    let path = format!("/auth/link/{provider}?{query}");
    client.send(Method::GET, &path, &[("accept", "application/json")], None).await
}

/// Begins a journey back to a page.
pub(crate) async fn begin(client: &Client, provider: &str, page: &str) -> Begun {
    let answer = ask(client, provider, page).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.headers.contains_key("set-cookie"));
    let field = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    Begun { url: field("url"), proof: field("proof") }
}

/// The path of the callback with its parameters.
pub(crate) fn path(callback: &Callback) -> String {
    format!("{}?{}", callback.url.path(), callback.url.query().unwrap())
}

/// The page that an answer leads to, without its fragment, and the fragment's parameters.
pub(crate) fn led_to(answer: &Answer) -> (String, HashMap<String, String>) {
    assert_eq!((answer.status, answer.text.as_str()), (302, ""));
    let mut url = Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let fragment = Url::parse(&format!("http://query/?{}", url.fragment().unwrap())).unwrap();
    url.set_fragment(None);
    (url.into(), fragment.query_pairs().into_owned().collect())
}

/// Leads a browser through the provider to the page; the link code that it finds there.
pub(crate) async fn link_code(client: &Client, server: &OpenIdServer, begun: &Begun, login: &str) -> String {
    let callback = server.follow(&begun.url, login).await;
    let (_, mut fragment) = led_to(&client.get(&path(&callback)).await);
    fragment.remove("link_code").unwrap()
}

/// Ends a journey.
pub(crate) async fn complete(client: &Client, provider: &str, code: &str, proof: &str) -> Answer {
    client.post(&format!("/auth/link/{provider}/complete"), &json!({"code": code, "proof": proof})).await
}

/// A whole journey; with the client's token, if it has one, at both ends.
pub(crate) async fn travel(client: &Client, server: &OpenIdServer, provider: &str, page: &str, login: &str) -> Answer {
    let begun = begin(client, provider, page).await;
    let code = link_code(client, server, &begun, login).await;
    complete(client, provider, &code, &begun.proof).await
}

/// A journey without a page: the cookie that the browser got, with its attributes, and where it is sent.
pub(crate) async fn set_out(client: &Client, provider: &str) -> (String, String) {
    let answer = client.get(&format!("/auth/link/{provider}")).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    (header("set-cookie"), header("location"))
}

/// Comes back from a journey without a page, with a cookie as the browser keeps it.
pub(crate) async fn come_back(client: &Client, path: &str, cookie: &str) -> Answer {
    let pair = cookie.split(';').next().unwrap();
    client.send(Method::GET, path, &[("cookie", pair)], None).await
}

/// The names of the tenant's users, by number.
pub(crate) async fn usernames(world: &World) -> Vec<String> {
    let open = world.open(&world.tenant).await;
    let users = world.server.installation().features.identity.users(&open, 0, 1_000).await.unwrap();
    users.into_iter().map(|user| user.username).collect()
}
