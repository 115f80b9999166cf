//! The OpenAPI document: a changed API is a changed file in the review.

use insula_tests::{Backend, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_as_it_was() {
    let world = World::new(Backend::Sqlite).await;
    let mut answer = world.anonymous().get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    // The version changes with every release and says nothing of the API.
    answer.body["info"]["version"] = "…".into();
    insta::assert_snapshot!("openapi", serde_json::to_string_pretty(&answer.body).unwrap());
    world.end().await;
}
