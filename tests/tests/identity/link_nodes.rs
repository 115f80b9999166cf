//! Two servers on one PostgreSQL: a journey begins on one and ends on the other.

use insula::{Options, Server};
use insula_tests::{Backend, Client, OpenIdServer, OwnPostgres};
use kernel::{Secret, seal::SealingKey};

use crate::journey::{self, begin, come_back, complete, link_code, page, path, set_out};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journey_goes_on_at_another_node() {
    let (postgres, provider) = (OwnPostgres::new().await, OpenIdServer::start().await);
    let (key, url) = (Secret::new(SealingKey::generate().to_text()), Secret::new(&postgres.url));
    let world = journey::world(Backend::Postgres, &provider, move |config| {
        (config.store.control, config.store.database) = (url.clone(), url);
        config.master_key = Some(key);
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let config = insula::Config { data: data.path().to_owned(), ..world.server.installation().config.clone() };
    let second = Server::start(Options { config, ..Options::default() }).await.unwrap();
    let host = format!("api.{}", world.tenant.domain.as_deref().unwrap());
    let (first, second_node) = (world.at(&world.tenant), Client::of(second.url()).at_host(host));

    let (cookie, location) = set_out(&first, "acme").await;
    let callback = path(&provider.follow(&location, "ada").await);
    let entered = come_back(&second_node, &callback, &cookie).await;
    assert_eq!((entered.status, entered.body["user"]["username"].as_str()), (200, Some("ada")), "{}", entered.text);
    assert_eq!(come_back(&first, &callback, &cookie).await.refusal(), (400, "link_refused"));

    let begun = begin(&first, "acme", &page(&world.tenant)).await;
    let code = link_code(&second_node, &provider, &begun, "ada").await;
    let ends = [&first, &second_node, &first, &second_node].map(|node| {
        let (node, code, proof) = (node.clone(), code.clone(), begun.proof.clone());
        tokio::spawn(async move { complete(&node, "acme", &code, &proof).await })
    });
    let mut entered = Vec::new();
    for end in ends {
        let answer = end.await.unwrap();
        entered.extend(answer.body["user"]["username"].as_str().map(str::to_owned));
    }
    assert_eq!(entered, ["ada"]);

    // Strangers of one subject at both.
    let body = serde_json::json!({"token": provider.id_token_for("bob").await});
    let strangers: [_; 40] = std::array::from_fn(|number| {
        let (node, body) = ([&first, &second_node][number % 2].clone(), body.clone());
        tokio::spawn(async move { node.post("/auth/exchange/acme", &body).await })
    });
    for stranger in strangers {
        let answer = stranger.await.unwrap();
        assert_eq!((answer.status, &answer.body["user"]["id"]), (200, &serde_json::json!(2)), "{}", answer.text);
    }
    assert_eq!(journey::usernames(&world).await, ["ada", "bob"]);
    second.stop().await.unwrap();
    drop(data);
    world.end().await;
    postgres.end().await;
}
