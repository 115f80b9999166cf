//! From nothing to the first tenant.

use crate::support::{App, PASSWORD, Reply, cheap};
use identity::Bootstrap;
use kernel::Secret;
use sea_query::ExprTrait;
use serde_json::{Value, json};

const INIT: &str = "/api/insula/init";
const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");

async fn app() -> (App, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("setup-token");
    std::fs::write(&file, "s3cret").unwrap();
    let bootstrap = Bootstrap {
        setup_token: Some(Secret::new("s3cret")),
        setup_token_file: Some(file.clone()),
        hosts: vec!["setup.example.net".into()],
    };
    (App::bare(cheap(), bootstrap).await, file, folder)
}

async fn init(app: &App, headers: &[(&str, &str)], body: Value) -> Reply {
    app.send("POST", INIT, headers, Some(body)).await
}

#[tokio::test]
async fn the_first_tenant_is_there_at_once_with_its_administrator() {
    let (app, file, _folder) = app().await;
    let login = app.login("admin", PASSWORD).await;
    assert_eq!(login.reason(), (503, "not_initialised"));
    let admin = json!({"username": "admin", "email": "admin@example.com", "password": PASSWORD});
    let body = json!({"domain": "Example.com", "admin": admin});
    let reply = app.send("POST", "/api/walnut@daplie.com/init", &[("host", "api.localhost"), HTTPS], Some(body)).await;
    let expected =
        json!({"success": true, "domain": "example.com", "tenant": "example-com", "api": "https://api.example.com/"});
    assert_eq!((reply.status, reply.body), (200, expected));
    assert!(!file.exists());
    let login = app.login("admin", PASSWORD).await;
    assert_eq!((login.status, &login.body["user"]["power"], &login.body["user"]["id"]), (200, &json!(100), &json!(1)));
    let again = init(&app, &[("host", "api.localhost"), HTTPS], json!({"domain": "other.com"})).await;
    assert_eq!(again.reason(), (409, "already_initialised"));
}

#[tokio::test]
async fn who_may_not() {
    let (app, _, _folder) = app().await;
    let body = || json!({"domain": "example.com"});
    let reply = init(&app, &[("host", "api.localhost")], body()).await;
    assert_eq!(reply.reason(), (400, "bad_request"), "no HTTPS");
    let reply = init(&app, &[("host", "api.example.com"), HTTPS], body()).await;
    assert_eq!(reply.reason(), (421, "host_unknown"));
    let far = [("host", "api.localhost"), ("peer", "192.0.2.1"), ("x-forwarded-for", "203.0.113.9"), HTTPS];
    assert_eq!(init(&app, &far, body()).await.reason(), (403, "address_not_allowed"));
    for wrong in ["", "s3cre", "s3cret1"] {
        let headers = [far[0], far[1], far[2], far[3], ("x-setup-token", wrong)];
        assert_eq!(init(&app, &headers, body()).await.reason(), (403, "address_not_allowed"));
    }
    for bad in ["localhost", "exa mple.com", "1.2.3.4", ""] {
        let reply = init(&app, &[("host", "localhost"), HTTPS], json!({"domain": bad})).await;
        assert_eq!((reply.reason(), reply.body["field"].as_str()), ((400, "field_invalid"), Some("domain")), "{bad}");
    }
    let admin = json!({"username": "admin", "password": "password1"});
    let weak = init(&app, &[("host", "localhost"), HTTPS], json!({"domain": "example.com", "admin": admin})).await;
    assert_eq!(weak.reason(), (422, "password_unfit"));
    assert!(app.tenants.list().await.unwrap().is_empty(), "not begun");
    let headers = [far[0], far[1], far[2], far[3], ("authorization", "Bearer s3cret")];
    assert_eq!(init(&app, &headers, body()).await.status, 200);
}

#[tokio::test]
async fn configured_hosts_are_taken() {
    let (app, _, _folder) = app().await;
    let reply =
        init(&app, &[("host", "Setup.Example.net:443"), HTTPS], json!({"domain": "a.com", "name": "first"})).await;
    assert_eq!((reply.status, &reply.body["tenant"]), (200, &json!("first")));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_make_one() {
    let (app, _, _folder) = app().await;
    let app = std::sync::Arc::new(app);
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            let app = app.clone();
            let body = json!({"domain": format!("d{number}.com")});
            tokio::spawn(async move { init(&app, &[("host", "127.0.0.1:5777"), HTTPS], body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![409; 9]].concat());
}

#[tokio::test]
async fn an_interrupted_migration_can_run_again() {
    let app = App::start(cheap()).await;
    let (_, open) = app.tenant("example").await;
    let ddl = open.system.ddl();
    let context = kernel::WriteContext::system();
    let forgotten = open.system.transaction(&context, move |transaction| {
        let mut delete = sea_query::Query::delete();
        delete.from_table(ddl.table("_migrations"));
        // SQLite undoes a step whole; only steps that may be repeated there can have been interrupted elsewhere.
        delete.and_where(sea_query::Expr::col(sea_query::Alias::new("number")).eq(1));
        Box::pin(async move { transaction.execute(&delete).await })
    });
    assert_eq!(forgotten.await.unwrap(), 1);
    let again = app.another(cheap()).await;
    let (_, open) = again.tenant("example").await;
    assert_eq!(again.identity.groups(&open).await.unwrap().len(), 5);
    assert_eq!(again.login("admin", PASSWORD).await.body["user"]["id"], 1);
    assert_eq!(again.register("jane").await.body["user"]["id"], 2);
}
