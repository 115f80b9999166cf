//! What runs by itself: once, by whichever process is first.

use std::time::Duration;

use insula_tests::{Backend, Program, on_all_databases, until};
use sea_query::{Alias, Expr, Query};
use serde_json::{Value as Json, json};
use store::Value;

use crate::stage::{OPEN, kit, toolkit};

on_all_databases!(
    a_schedule_is_kept_and_runs_late_but_once,
    a_run_that_fails_is_told_and_comes_again,
    a_tenant_that_does_not_answer_holds_up_nobody,
    two_processes_run_it_once
);

const NOTE: &str =
    "[pseudo_querys.note]\naction = \"insert\"\ntable = \"log\"\ndata = { what = \"$username\", who = \"$user_id\" }\n";

fn schedule(name: &str, when: &str, query: &str) -> String {
    format!("[scheduled_queries.{name}]\n{when}\npseudo_querys = [\"{query}\"]\n")
}

async fn shown(client: &insula_tests::Client) -> Vec<Json> {
    let answer = client.get("/admin/toolkits").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["toolkits"][0]["schedules"].as_array().unwrap().clone()
}

/// Makes all schedules due.
async fn make_due(control: &store::Database) {
    let ddl = control.ddl();
    let long_ago: kernel::time::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    control
        .transaction(&kernel::WriteContext::system(), move |transaction| {
            let mut update = Query::update();
            update.table(ddl.table("_schedules")).value(Alias::new("next_run"), Expr::from(Value::from(long_ago)));
            Box::pin(async move { transaction.execute(&update).await })
        })
        .await
        .unwrap();
}

async fn a_schedule_is_kept_and_runs_late_but_once(backend: Backend) {
    let often = schedule("often", "every = \"1h\"", "note");
    let text = [OPEN, &often, &schedule("off", "cron = \"0 6 * * *\"\nenabled = false", "note"), NOTE].concat();
    let world = kit(backend, &text).await;
    let root = world.user("root", "administrators").await;
    until("the schedule is written down", Duration::from_secs(5), async || {
        shown(&root).await.first().is_some_and(|schedule| !schedule["next_run"].is_null())
    })
    .await;
    assert_eq!(shown(&root).await.len(), 1, "what is switched off is not kept");
    let installation = world.server.installation();
    make_due(installation.tenants.control()).await;
    let log = async || {
        let query = json!({"action": "select", "table": "log", "columns": ["what", "who"]});
        root.query(query).await.data().as_array().unwrap().clone()
    };
    until("it ran", Duration::from_secs(8), async || !log().await.is_empty()).await;
    until("its outcome is written down", Duration::from_secs(5), async || {
        shown(&root).await[0]["last_outcome"] == "ok"
    })
    .await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(
        log().await,
        [json!({"what": "toolkit:kit", "who": null})],
        "however many runs were missed, there is one"
    );
    let next = shown(&root).await[0]["next_run"].as_str().unwrap().to_owned();
    let next: kernel::time::Timestamp = next.parse().unwrap();
    assert!(next > kernel::time::now());
    // A reload keeps its moment; another rhythm is another schedule; one that is gone is forgotten.
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    assert_eq!(shown(&root).await[0]["next_run"], json!(next.to_string()));
    toolkit(&world, "kit", &text.replace("1h", "2h"));
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    until("the new rhythm is kept", Duration::from_secs(5), async || {
        shown(&root).await[0]["next_run"]
            .as_str()
            .is_some_and(|text| text.parse::<kernel::time::Timestamp>().unwrap() > next)
    })
    .await;
    assert_eq!(shown(&root).await[0]["rhythm"], "every 2h");
    toolkit(&world, "kit", OPEN);
    assert_eq!(root.post("/reload", &json!({})).await.status, 200);
    let rows = async || {
        let control = installation.tenants.control();
        let mut select = Query::select();
        select.column(Alias::new("name")).from(control.ddl().table("_schedules"));
        control.read(&select).await.unwrap().len()
    };
    until("the row is gone", Duration::from_secs(5), async || rows().await == 0).await;
    world.end().await;
}

async fn a_run_that_fails_is_told_and_comes_again(backend: Backend) {
    let twice = "[pseudo_querys.twice]\naction = \"insert\"\ntable = \"items\"\ndata = { name = \"saw\" }\n";
    let text = [OPEN, &schedule("often", "every = \"1h\"", "twice"), twice].concat();
    let world = kit(backend, &text).await;
    let root = world.user("root", "administrators").await;
    let installation = world.server.installation();
    for outcome in ["ok", "unique_violation", "unique_violation"] {
        until("the schedule is known", Duration::from_secs(5), async || !shown(&root).await[0]["next_run"].is_null())
            .await;
        make_due(installation.tenants.control()).await;
        until(outcome, Duration::from_secs(8), async || {
            let shown = shown(&root).await;
            let next: kernel::time::Timestamp = shown[0]["next_run"].as_str().unwrap().parse().unwrap();
            shown[0]["last_outcome"] == outcome && next > kernel::time::now()
        })
        .await;
    }
    // Nothing runs for a tenant that is suspended; it is made up for once it is not.
    let clear = json!({"action": "delete", "table": "items", "where": {"name": "saw"}});
    assert_eq!(root.query(clear).await.status, 200);
    installation.tenants.set_status(&world.tenant, kernel::TenantStatus::Suspended).await.unwrap();
    make_due(installation.tenants.control()).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    installation.tenants.set_status(&world.tenant, kernel::TenantStatus::Active).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(root.query(json!({"action": "count", "table": "items"})).await.data(), &json!(0));
    world.end().await;
}

/// Schedules of a tenant whose toolkits can never be read, because they lie in a pipe that nobody writes to.
async fn stuck(world: &insula_tests::World) -> std::path::PathBuf {
    let tenant = world.another_tenant().await;
    let folder = tenant.folder.join("toolkits");
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("kit.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let control = world.server.installation().tenants.control();
    let (ddl, id) = (control.ddl(), tenant.id);
    let long_ago: kernel::time::Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    let columns = ["tenant_id", "toolkit", "name", "expression", "next_run"].map(Alias::new);
    let mut insert = Query::insert();
    insert.into_table(ddl.table("_schedules")).columns(columns);
    for number in 0..20 {
        let texts = [id.to_string(), "kit".to_owned(), format!("s{number}"), "every 1h".to_owned()];
        insert.values(texts.into_iter().map(Expr::from).chain([Expr::from(Value::from(long_ago))])).unwrap();
    }
    control
        .transaction(&kernel::WriteContext::system(), move |transaction| {
            let insert = insert.clone();
            Box::pin(async move { transaction.execute(&insert).await })
        })
        .await
        .unwrap();
    pipe
}

async fn a_tenant_that_does_not_answer_holds_up_nobody(backend: Backend) {
    let text = [OPEN, &schedule("often", "every = \"1h\"", "note"), NOTE].concat();
    let world = kit(backend, &text).await;
    let root = world.user("root", "administrators").await;
    until("the schedule is written down", Duration::from_secs(5), async || {
        shown(&root).await.first().is_some_and(|schedule| !schedule["next_run"].is_null())
    })
    .await;
    let pipes = [stuck(&world).await, stuck(&world).await];
    for round in 1..3 {
        make_due(world.server.installation().tenants.control()).await;
        until("it ran all the same", Duration::from_secs(8), async || {
            let count = root.query(json!({"action": "count", "table": "log"})).await;
            count.data() == &json!(round)
        })
        .await;
    }
    for pipe in pipes {
        let writer = tokio::task::spawn_blocking(move || {
            let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
            std::fs::remove_file(&pipe).unwrap();
            drop(writer);
        });
        writer.await.unwrap();
    }
    world.end().await;
}

/// Two servers on one data folder, as two nodes are on one control database.
async fn two_processes_run_it_once(backend: Backend) {
    let program = Program::initialised(backend);
    program.tables(crate::stage::TABLES);
    program.user(&program.tenant, "root", "administrators");
    let text = [OPEN, &schedule("often", "every = \"10s\"", "note"), NOTE].concat();
    program.file(&format!("data/tenants/{}/toolkits/kit.toml", program.tenant), &text);
    let servers = [program.serve().await, program.serve().await];
    let mut clients = Vec::new();
    for server in &servers {
        let client = server.user(&program.tenant, "root").await;
        shown(&client).await;
        clients.push(client);
    }
    let log = async || {
        let count = clients[0].query(json!({"action": "count", "table": "log"})).await;
        count.data().as_i64().unwrap()
    };
    until("it ran", Duration::from_secs(20), async || log().await > 0).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(log().await, 1, "two processes, one run");
    until("it ran again", Duration::from_secs(20), async || log().await > 1).await;
    assert_eq!(log().await, 2);
    drop(servers);
    program.end();
}
