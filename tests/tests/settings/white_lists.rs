//! The lists of networks: a change counts at once, and an empty list lets nobody in.

use insula_tests::{Backend, Client, World, on_all_databases};
use kernel::Secret;
use serde_json::{Value as Json, json};

use crate::stage::{keep, put, unset};

on_all_databases!(a_list_lets_in_whom_it_names, a_card_is_read_where_the_list_says);

const PIN: &str = "739152";
const CARD: &str = "NFC-3f9d6c21-71f2";

async fn world(backend: Backend) -> (World, Client, Client) {
    let world = World::new(backend).await;
    let admin = world.user("ada", "administrators").await;
    world.user("uma", "users").await;
    let open = world.open(&world.tenant).await;
    let identity = &world.server.installation().features.identity;
    let uma = identity.find_user(&open, "uma").await.unwrap().unwrap();
    identity.set_pin(&open, uma.id, Some(&Secret::new(PIN))).await.unwrap();
    identity.set_login_string(&open, uma.id, Some(&Secret::new(CARD))).await.unwrap();
    let nobody = world.at(&world.tenant);
    (world, admin, nobody)
}

async fn status(nobody: &Client, body: &Json) -> (u16, String) {
    let answer = nobody.post("/auth/login", body).await;
    (answer.status, answer.refusal().1.to_owned())
}

async fn a_list_lets_in_whom_it_names(backend: Backend) {
    let (world, admin, nobody) = world(backend).await;
    let by_pin = json!({"method": "pin", "username": "uma", "pin": PIN});
    let refused = (403, "address_not_allowed".to_owned());
    assert_eq!(status(&nobody, &by_pin).await, refused, "an empty list is nobody");
    keep(&admin, "whitelisted_pin_ips", json!(["192.0.2.0/24"])).await;
    assert_eq!(status(&nobody, &by_pin).await, refused);
    keep(&admin, "whitelisted_pin_ips", json!(["192.0.2.0/24", "127.0.0.1"])).await;
    assert_eq!(status(&nobody, &by_pin).await.0, 200);
    keep(&admin, "whitelisted_pin_ips", json!([])).await;
    assert_eq!(status(&nobody, &by_pin).await, refused);
    for everybody in [json!(["0.0.0.0/0"]), json!(["::/0"]), json!("127.0.0.1"), Json::Null] {
        let answer = put(&admin, "whitelisted_pin_ips", everybody).await;
        assert_eq!((answer.refusal(), answer.field()), ((400, "field_invalid"), "value"), "{}", answer.text);
    }
    assert_eq!(status(&nobody, &by_pin).await, refused);
    // What concerns the other list is left alone.
    let other = world.another_tenant().await;
    let theirs = world.user_of(&other, "eve", "administrators").await;
    keep(&theirs, "whitelisted_pin_ips", json!(["127.0.0.1"])).await;
    assert_eq!(status(&nobody, &by_pin).await, refused, "another tenant's list is its own");
    world.end().await;
}

async fn a_card_is_read_where_the_list_says(backend: Backend) {
    let (world, admin, nobody) = world(backend).await;
    let by_card = json!({"method": "token", "login_string": CARD});
    assert_eq!(status(&nobody, &by_card).await.0, 403);
    keep(&admin, "whitelisted_string_ips", json!(["127.0.0.0/8"])).await;
    assert_eq!(status(&nobody, &by_card).await.0, 200);
    assert_eq!(unset(&admin, "whitelisted_string_ips").await.status, 204);
    assert_eq!(status(&nobody, &by_card).await.0, 403);
    world.end().await;
}
