//! Every route of the route table, with every credential, at every host.

use insula_tests::{Answer, Backend, Client, on_all_databases};
use kernel::Tenant;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::{Neighbours, OUR_SECRET, THEIR_SECRET};

on_all_databases!(no_route_lets_a_stranger_in);

/// A route of the OpenAPI document.
struct Route {
    method: Method,
    path: String,
    /// Whether it answers without a token.
    open: bool,
}

/// All routes, and one that does not exist. Parameters of a path become an object of the second tenant.
fn routes(document: &Json, object: &str) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { continue };
            let open = operation["security"].as_array().is_some_and(|all| all.iter().any(|one| one == &json!({})));
            let pieces: Vec<_> =
                path.split('/').map(|piece| if piece.starts_with('{') { object } else { piece }).collect();
            routes.push(Route { method, path: pieces.join("/"), open });
        }
    }
    routes.push(Route { method: Method::GET, path: format!("/nothing/{object}"), open: false });
    routes
}

impl Route {
    async fn ask(&self, client: &Client) -> Answer {
        let body = match self.path.as_str() {
            "/query" => json!({"action": "select", "table": "secrets"}),
            "/auth/clear-sessions" => json!({"user_id": 2}),
            "/auth/login" => json!({"method": "password", "username": "ada", "password": "not the password"}),
            _ => json!({}),
        };
        let body = (self.method != Method::GET).then(|| body.to_string().into_bytes());
        client.send(self.method.clone(), &self.path, &[("content-type", "application/json")], body).await
    }
}

fn host(tenant: &Tenant, room: &str) -> String {
    format!("{room}{}", tenant.domain.as_deref().unwrap())
}

async fn no_route_lets_a_stranger_in(backend: Backend) {
    let Neighbours { world, other, ours, theirs } = Neighbours::new(backend).await;
    let nobody = world.anonymous();
    let document = nobody.get("/openapi.json").await.body;
    let routes = routes(&document, &other.id.to_string());
    assert!(routes.iter().filter(|route| !route.open).count() >= 6 && routes.iter().any(|route| route.open));
    for tenant in [&world.tenant, &other] {
        // User 2: who logs in so often that the oldest sessions give way, and whose sessions are cleared.
        world.user_of(tenant, "guest", "administrators").await;
    }
    let ours_token = ours.token.clone().unwrap();
    let at_ours = nobody.at_host(host(&world.tenant, "api."));
    let at_theirs = nobody.at_host(host(&other, "api."));
    for route in &routes {
        let name = format!("{} {}", route.method, route.path);
        // Names at which no tenant answers: nobody learns anything there, whatever is sent along.
        let strange =
            ["api.nobody.test".to_owned(), host(&world.tenant, ""), host(&world.tenant, "www."), host(&other, "www.")];
        for strange in strange {
            for caller in [nobody.at_host(&strange), nobody.at_host(&strange).with_token(&ours_token)] {
                let answer = route.ask(&caller).await;
                assert_eq!(answer.refusal(), (421, "host_unknown"), "{name} at {strange}");
            }
        }
        // Their host without a token, with our token, with a forged one.
        let answer = route.ask(&at_theirs).await;
        no_secret(&answer, &name);
        assert!(route.open || answer.status == 401, "{name} without a token: {}", answer.text);
        let answer = route.ask(&at_theirs.with_token(&ours_token)).await;
        no_secret(&answer, &name);
        assert!(route.open || answer.refusal() == (403, "tenant_mismatch"), "{name} with our token: {}", answer.text);
        let answer = route.ask(&at_theirs.with_token(forged(&ours_token, &world.tenant, &other))).await;
        no_secret(&answer, &name);
        assert!(route.open || answer.status == 401, "{name} with a forged token: {}", answer.text);
        // The same the other way round, and by the server's address, where the credential alone decides.
        let answer = route.ask(&at_ours.with_token(theirs.token.clone().unwrap())).await;
        no_secret(&answer, &name);
        assert!(route.open || answer.refusal() == (403, "tenant_mismatch"), "{name} with theirs: {}", answer.text);
        let answer = route.ask(&nobody).await;
        no_secret(&answer, &name);
        assert!(route.open || answer.status == 401, "{name} by address without a token: {}", answer.text);
        // At home the token is good, and shows nothing of the neighbours.
        for (tenant, own, foreign) in [(&world.tenant, OUR_SECRET, THEIR_SECRET), (&other, THEIR_SECRET, OUR_SECRET)] {
            let caller = world.at(tenant).log_in("guest", "correct horse battery").await;
            let answer = route.ask(&caller).await;
            assert!(!answer.text.contains(foreign), "{name}: {}", answer.text);
            assert!(answer.status != 421 && answer.refusal().1 != "tenant_mismatch", "{name}: {}", answer.text);
            assert!(route.open || answer.status != 401, "{name}: {}", answer.text);
            assert!(route.path != "/query" || answer.text.contains(own), "{name}: {}", answer.text);
            let direct = world.anonymous().with_token(caller.token.clone().unwrap_or_default());
            let answer = route.ask(&direct).await;
            assert!(!answer.text.contains(foreign), "{name} by address: {}", answer.text);
        }
    }
    assert_eq!(ours.get("/auth/status").await.status, 200, "a stranger's request ended our session");
    world.end().await;
}

fn no_secret(answer: &Answer, name: &str) {
    assert!(!answer.text.contains(OUR_SECRET) && !answer.text.contains(THEIR_SECRET), "{name}: {}", answer.text);
}

/// Our token that claims to be of the second tenant, under our signature.
fn forged(token: &str, ours: &Tenant, theirs: &Tenant) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let parts: Vec<_> = token.split('.').collect();
    let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let claims = claims.replace(&ours.id.to_string(), &theirs.id.to_string());
    assert!(claims.contains(&theirs.id.to_string()));
    [parts[0], &BASE64_URL_SAFE_NO_PAD.encode(claims), parts[2]].join(".")
}
