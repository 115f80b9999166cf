//! Confirming addresses, and what becomes of letters.

use std::time::{Duration, Instant};

use insula_tests::{Backend, Client, Program, SmtpServer, on_all_databases};
use kernel::Span;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::post::{PASSWORD, Post, log_in, register, registered, send};

on_all_databases!(
    where_addresses_are_confirmed_nobody_comes_in_before,
    registering_does_not_tell_whose_address_it_is,
    neither_does_upgrading_nor_changing_the_address,
    a_confirmed_user_changes_and_keeps_the_state,
    five_letters_of_a_kind_an_hour,
    an_invitation_sets_a_password,
    a_tenant_that_goes_takes_its_letters_along,
    words_and_pages_are_the_tenants,
    a_letter_survives_a_mail_server_that_is_down_and_a_process_that_is_killed,
    a_slow_mail_server_holds_up_its_own_tenant_alone,
    what_a_mail_server_refuses_for_good_is_dropped,
);

fn confirming(identity: &mut identity::IdentityConfig) {
    identity.confirm_email = identity::ConfirmEmail::On;
}

async fn verify(client: &Client, token: &str) -> insula_tests::Answer {
    client.post("/auth/email/verify", &json!({ "token": token })).await
}

async fn where_addresses_are_confirmed_nobody_comes_in_before(backend: Backend) {
    let (world, post) = Post::world(backend, |identity| {
        confirming(identity);
        identity.verify_lifetime = Span::seconds(60);
    })
    .await;
    let client = world.at(&world.tenant);
    let answer = register(&client, "jane").await;
    assert_eq!((answer.status, &answer.body["token"]), (202, &Json::Null), "{}", answer.text);
    assert_eq!(answer.body["success"], true);
    let first = post.next("jane@example.com").await;
    assert_eq!(log_in(&client, "jane", "wrong wrong").await.refusal(), (401, "credentials_invalid"));
    assert_eq!(log_in(&client, "jane", PASSWORD).await.refusal(), (403, "email_unverified"));
    // The letter was lost.
    let resend = async |body: Json| client.post("/auth/email/resend", &body).await;
    let (known, unknown) =
        (resend(json!({ "email": "jane@example.com" })).await, resend(json!({ "email": "nobody@example.com" })).await);
    assert_eq!((known.status, known.whole()), (202, unknown.whole()));
    assert_eq!(resend(json!({})).await.refusal(), (400, "field_missing"));
    assert_eq!(resend(json!({ "email": "jane" })).await.refusal(), (422, "email_unfit"));
    let second = post.next("jane@example.com").await;
    assert_eq!(verify(&client, &first.token()).await.refusal(), (410, "token_spent"));
    let done = verify(&client, &second.token()).await;
    assert_eq!((done.status, &*done.text), (204, ""));
    assert_eq!(verify(&client, &second.token()).await.refusal(), (410, "token_spent"));
    assert_eq!(log_in(&client, "jane", PASSWORD).await.status, 200);
    // There is nothing to confirm any more.
    resend(json!({ "email": "jane@example.com" })).await;
    let jane = client.log_in("jane", PASSWORD).await;
    assert_eq!(jane.send(Method::POST, "/auth/email/resend", &[], None).await.status, 202);
    post.settled(&world).await;
    assert_eq!(post.waiting("jane@example.com") + post.waiting("nobody@example.com"), 0);
    world.end().await;
}

async fn registering_does_not_tell_whose_address_it_is(backend: Backend) {
    let (world, post) = Post::world(backend, confirming).await;
    let client = world.at(&world.tenant);
    let body = |name: &str| json!({ "username": name, "email": "jane@example.com", "password": PASSWORD });
    let first = client.post("/auth/register", &body("jane")).await;
    let token = post.next("jane@example.com").await.token();
    let second = client.post("/auth/register", &body("someone")).await;
    assert_eq!(second.whole(), first.whole());
    let told = post.next("jane@example.com").await;
    assert!(!told.text.contains("token="), "{}", told.text);
    assert_eq!(log_in(&client, "someone", PASSWORD).await.refusal(), (401, "credentials_invalid"));
    assert_eq!(client.post("/auth/register", &body("JANE")).await.refusal(), (409, "username_taken"));
    assert_eq!(verify(&client, &token).await.status, 204);
    assert_eq!(log_in(&client, "jane", PASSWORD).await.status, 200);
    // Many at once: one gets the address, and all the same answer.
    let attempts: Vec<_> = (0..10)
        .map(|number| {
            let (client, name) = (client.clone(), format!("many-{number}"));
            let body = json!({ "username": name, "email": "many@example.com", "password": PASSWORD });
            tokio::spawn(async move { client.post("/auth/register", &body).await.status })
        })
        .collect();
    for attempt in attempts {
        assert_eq!(attempt.await.unwrap(), 202);
    }
    post.settled(&world).await;
    let mut with_token = 0;
    while post.waiting("many@example.com") > 0 {
        with_token += usize::from(post.next("many@example.com").await.text.contains("token="));
    }
    assert_eq!(with_token, 1);
    world.end().await;
}

async fn neither_does_upgrading_nor_changing_the_address(backend: Backend) {
    let (world, post) = Post::world(backend, confirming).await;
    let client = world.at(&world.tenant);
    register(&client, "jane").await;
    let token = post.next("jane@example.com").await.token();
    verify(&client, &token).await;
    let anonymous = async || {
        let begun = client.post("/auth/anonymous", &json!({})).await;
        client.with_token(begun.body["token"].as_str().unwrap())
    };
    let upgrade = async |anonymous: &Client, name: &str, email: &str| {
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        anonymous.post("/auth/upgrade", &body).await
    };
    let (eve, john) = (anonymous().await, anonymous().await);
    let half = eve.post("/auth/password/change", &json!({ "password": PASSWORD })).await;
    assert_eq!(half.refusal(), (403, "power_too_low"), "a credential alone makes no registered user");
    let (taken, free) =
        (upgrade(&eve, "eve", "jane@example.com").await, upgrade(&john, "john", "john@example.com").await);
    assert_eq!((taken.status, free.status), (200, 200), "{} {}", taken.text, free.text);
    assert_eq!((&taken.body["user"]["email"], &free.body["user"]["email"]), (&Json::Null, &Json::Null));
    assert!(!post.next("jane@example.com").await.text.contains("token="));
    assert_eq!(verify(&client, &post.next("john@example.com").await.token()).await.status, 204);
    let user = john.get("/auth/me").await.body["user"].clone();
    assert_eq!(user["email"], "john@example.com");
    assert!(user["email_verified_at"].is_string());
    let change = json!({ "email": "jane@example.com", "password": PASSWORD });
    assert_eq!(john.post("/auth/email/change", &change).await.status, 202);
    assert!(!post.next("jane@example.com").await.text.contains("token="));
    world.end().await;
}

async fn a_confirmed_user_changes_and_keeps_the_state(backend: Backend) {
    let (world, post) = Post::world(backend, confirming).await;
    let client = world.at(&world.tenant);
    register(&client, "jane").await;
    // A reset proves the address as well.
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    post.settled(&world).await;
    let letters = [post.next("jane@example.com").await, post.next("jane@example.com").await];
    let mut statuses = Vec::new();
    for letter in &letters {
        let body = json!({ "token": letter.token(), "password": "another good one" });
        statuses.push(client.post("/auth/password/reset", &body).await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 410], "one of the two was the link that confirms");
    let jane = client.log_in("jane", "another good one").await;
    let changed = send(&jane, Method::PATCH, "/auth/me", &json!({ "name": "Jane" })).await;
    assert!(changed.body["user"]["email_verified_at"].is_string(), "{}", changed.text);
    world.end().await;
}

async fn five_letters_of_a_kind_an_hour(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    registered(&world, "jane").await;
    let john = registered(&world, "john").await;
    let client = world.at(&world.tenant);
    for _ in 0..8 {
        let asked = client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
        assert_eq!(asked.status, 202);
    }
    client.post("/auth/password/forgot", &json!({ "email": "john@example.com" })).await;
    // Another kind is counted on its own.
    client.post("/auth/email/resend", &json!({ "email": "jane@example.com" })).await;
    post.settled(&world).await;
    assert_eq!((post.waiting("jane@example.com"), post.waiting("john@example.com")), (6, 1));
    // What a user must know of is never held back.
    for number in 0..6 {
        let old = if number == 0 { PASSWORD.to_owned() } else { format!("good one {}", number - 1) };
        let body = json!({ "current_password": old, "password": format!("good one {number}") });
        assert_eq!(john.post("/auth/password/change", &body).await.status, 204);
    }
    post.settled(&world).await;
    assert_eq!(post.waiting("john@example.com"), 7);
    world.end().await;
}

async fn an_invitation_sets_a_password(backend: Backend) {
    let (world, post) = Post::world(backend, confirming).await;
    let (open, identity) = (world.open(&world.tenant).await, &world.server.installation().features.identity);
    let new = |name: &str, email: Option<&str>| identity::NewUser {
        username: name.into(),
        email: email.map(Into::into),
        ..identity::NewUser::default()
    };
    let guest = identity.create_user(&open, new("guest", Some("guest@example.com"))).await.unwrap();
    identity.invite(&open, &guest, Some("root")).await.unwrap();
    let letter = post.next("guest@example.com").await;
    assert!(letter.text.contains("/accept-invitation?token="), "{}", letter.text);
    let client = world.at(&world.tenant);
    let body = json!({ "token": letter.token(), "password": PASSWORD });
    assert_eq!(client.post("/auth/password/reset", &body).await.status, 204);
    assert_eq!(log_in(&client, "guest", PASSWORD).await.status, 200);
    let bare = identity.create_user(&open, new("bare", None)).await.unwrap();
    let refused = identity.invite(&open, &bare, None).await.unwrap_err();
    assert_eq!((refused.reason, refused.field.as_deref()), (kernel::Reason::FieldMissing, Some("email")));
    world.end().await;
}

async fn a_tenant_that_goes_takes_its_letters_along(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    let another = world.another_tenant().await;
    let tenants = &world.server.installation().tenants;
    // Suspended: its letters wait.
    tenants.set_status(&another, kernel::TenantStatus::Suspended).await.unwrap();
    let open = world.open(&another).await;
    let identity = &world.server.installation().features.identity;
    let new = identity::NewUser {
        username: "guest".into(),
        email: Some("guest@example.com".into()),
        ..identity::NewUser::default()
    };
    let guest = identity.create_user(&open, new).await.unwrap();
    identity.invite(&open, &guest, None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(post.waiting("guest@example.com"), 0);
    let record = tenants.by_name(&another.name).await.unwrap();
    drop(open);
    tenants.delete(&record, &kernel::WriteContext::system()).await.unwrap();
    post.settled(&world).await;
    assert_eq!(post.waiting("guest@example.com"), 0);
    world.end().await;
}

async fn words_and_pages_are_the_tenants(backend: Backend) {
    let (world, post) = Post::world(backend, |_| {}).await;
    let settings = "[pages]\nreset_url = \"https://shop.example/new?token={token}\"\n";
    std::fs::write(world.tenant.folder.join("identity.toml"), settings).unwrap();
    registered(&world, "jane").await;
    let client = world.at(&world.tenant);
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    let letter = post.next("jane@example.com").await;
    assert!(letter.text.contains("https://shop.example/new?token="), "{}", letter.text);
    std::fs::create_dir(world.tenant.folder.join("mail")).unwrap();
    std::fs::write(world.tenant.folder.join("mail/reset_password.txt"), "Hej {{ username }}: {{ link }}\n").unwrap();
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    let letter = post.next("jane@example.com").await;
    assert!(letter.text.starts_with("Hej jane: https://shop.example/new?token="), "{}", letter.text);
    world.end().await;
}

/// A program whose letters go to a mail server, with the user `jane` in it.
async fn program_with(backend: Backend, smtp: &SmtpServer) -> Program {
    let program = Program::initialised(backend).with("INSULA_IDENTITY__MAIL__SMTP_URL", &smtp.url());
    let serving = program.serve().await;
    let client = at_home(&program, &serving.anonymous());
    assert_eq!(register(&client, "jane").await.status, 201);
    serving.kill();
    program
}

fn at_home(program: &Program, client: &Client) -> Client {
    client.at_host(format!("api.{}.test", program.tenant))
}

/// The token in a letter of the mail server.
fn token_in(text: &str) -> String {
    let (_, rest) = text.split_once("?token=").unwrap();
    rest.chars().take_while(char::is_ascii_alphanumeric).collect()
}

async fn a_letter_survives_a_mail_server_that_is_down_and_a_process_that_is_killed(backend: Backend) {
    let smtp = SmtpServer::start().await;
    let program = program_with(backend, &smtp).await;
    smtp.refuse_with(Some("450 come again"));
    let serving = program.serve().await;
    let client = at_home(&program, &serving.anonymous());
    let asked = client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    serving.kill();
    let serving = program.serve().await;
    let client = at_home(&program, &serving.anonymous());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(smtp.letters().await.is_empty());
    smtp.refuse_with(None);
    // A pause after the first attempt, or the claim of the process that was killed.
    let letter = smtp.next_letter_to("jane@example.com", Duration::from_secs(75)).await;
    let body = json!({ "token": token_in(&letter.text), "password": "another good one" });
    assert_eq!(client.post("/auth/password/reset", &body).await.status, 204);
    let told = smtp.next_letter_to("jane@example.com", Duration::from_secs(10)).await;
    assert!(told.subject.contains("password") && !told.text.contains("token="), "{}", told.raw);
    assert_eq!(smtp.letters().await.len(), 0, "each letter comes once");
    drop(serving);
    program.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_was_sending_is_sent_by_the_next() {
    let smtp = SmtpServer::start().await;
    let program = program_with(Backend::Sqlite, &smtp).await;
    smtp.refuse_with(Some("slow"));
    let serving = program.serve().await;
    let client = at_home(&program, &serving.anonymous());
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    serving.kill();
    smtp.refuse_with(None);
    let serving = program.serve().await;
    smtp.next_letter_to("jane@example.com", Duration::from_secs(75)).await;
    drop(serving);
    program.end();
}

async fn a_slow_mail_server_holds_up_its_own_tenant_alone(backend: Backend) {
    let smtp = SmtpServer::start().await;
    smtp.refuse_with(Some("slow"));
    let (world, post) = Post::world(backend, |_| {}).await;
    let slow = world.another_tenant().await;
    std::fs::create_dir_all(&slow.folder).unwrap();
    let settings = format!("[mail]\nsmtp_url = \"{}\"\n", smtp.url());
    std::fs::write(slow.folder.join("identity.toml"), settings).unwrap();
    let at_slow = world.at(&slow);
    for number in 0..100 {
        let name = format!("user-{number}");
        let open = world.open(&slow).await;
        let new = identity::NewUser {
            email: Some(format!("{name}@example.com")),
            username: name,
            ..identity::NewUser::default()
        };
        let user = world.server.installation().features.identity.create_user(&open, new).await.unwrap();
        let asked = at_slow.post("/auth/password/forgot", &json!({ "email": user.email })).await;
        assert_eq!(asked.status, 202);
    }
    registered(&world, "jane").await;
    let begun = Instant::now();
    world.at(&world.tenant).post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    post.next("jane@example.com").await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(smtp.letters().await.is_empty());
    world.end().await;
}

async fn what_a_mail_server_refuses_for_good_is_dropped(backend: Backend) {
    let smtp = SmtpServer::start().await;
    let url = smtp.url();
    let (world, post) = Post::world(backend, |identity| identity.mail.smtp_url = Some(kernel::Secret::new(url))).await;
    registered(&world, "jane").await;
    smtp.refuse_with(Some("550 no such user"));
    let client = world.at(&world.tenant);
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    post.settled(&world).await;
    smtp.refuse_with(None);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(smtp.letters().await.is_empty());
    client.post("/auth/password/forgot", &json!({ "email": "jane@example.com" })).await;
    smtp.next_letter_to("jane@example.com", Duration::from_secs(10)).await;
    world.end().await;
}
