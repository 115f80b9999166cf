//! Who may reload and restart.

use identity::GroupChange;
use insula_tests::{Backend, World};
use serde_json::json;

use crate::{FORCED, GRACEFUL};

const PART_OF_A_PROGRAM: (u16, &str) = (400, "field_invalid");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_for_the_first_tenant_and_a_forced_one_for_the_few() {
    let world = World::new(Backend::Sqlite).await;
    let of = |name: &str, power, abilities: &[&str]| GroupChange {
        name: name.into(),
        power: Some(power),
        abilities: Some(abilities.iter().map(|name| (*name).to_owned()).collect()),
        ..GroupChange::default()
    };
    world.change_group(of("weak", 20, &[])).await;
    world.change_group(of("reloaders", 20, &["reload"])).await;
    world.change_group(of("restarters", 20, &["restart"])).await;
    world.change_group(of("strong", 95, &[])).await;
    world.change_group(of("both", 20, &["reload", "restart"])).await;
    let missing = (403, "ability_missing");
    for (group, hot, graceful, forced) in [
        ("weak", 403, missing, missing),
        ("restarters", 403, missing, missing),
        ("reloaders", 200, PART_OF_A_PROGRAM, missing),
        ("strong", 200, PART_OF_A_PROGRAM, missing),
        ("both", 200, PART_OF_A_PROGRAM, PART_OF_A_PROGRAM),
        ("administrators", 200, PART_OF_A_PROGRAM, PART_OF_A_PROGRAM),
    ] {
        let client = world.user(group, group).await;
        assert_eq!(client.post("/reload", &json!({})).await.status, hot, "{group}");
        let (wait, now) = (client.post_text("/reload", GRACEFUL).await, client.post_text("/reload", FORCED).await);
        assert_eq!((wait.refusal(), now.refusal()), (graceful, forced), "{group}");
        if graceful == PART_OF_A_PROGRAM {
            assert_eq!(wait.field(), "restart");
        }
    }
    let admin = world.user("ada", "administrators").await;
    let alone = admin.post("/reload", &json!({"forced": true})).await;
    assert_eq!((alone.refusal(), alone.field()), ((400, "field_invalid"), "forced"), "{}", alone.text);
    let unknown = admin.post("/reload", &json!({"restrat": true})).await;
    assert_eq!(unknown.refusal(), (400, "field_unknown"), "{}", unknown.text);

    let other = world.another_tenant().await;
    let stranger = world.user_of(&other, "otto", "administrators").await;
    assert_eq!(stranger.post("/reload", &json!({})).await.status, 200);
    for body in [GRACEFUL, FORCED] {
        let answer = stranger.post_text("/reload", body).await;
        assert_eq!(answer.refusal(), missing, "{}", answer.text);
        assert!(answer.text.contains("only the first tenant may ask for it"), "{}", answer.text);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_says_from_which_power() {
    let world = World::configured(Backend::Sqlite, |config| {
        config.query.min_reload_power = Some(60);
        config.query.min_manual_restart_power = Some(80);
    })
    .await;
    for (power, expected) in
        [(59, [403, 403, 403]), (60, [200, 400, 403]), (79, [200, 400, 403]), (80, [200, 400, 400])]
    {
        let name = format!("of{power}");
        let change = GroupChange { name: name.clone(), power: Some(power), ..GroupChange::default() };
        world.change_group(change).await;
        let client = world.user(&name, &name).await;
        let mut seen = Vec::new();
        for body in ["{}", GRACEFUL, FORCED] {
            seen.push(client.post_text("/reload", body).await.status);
        }
        assert_eq!(seen, expected, "{power}");
    }
    world.end().await;
}
