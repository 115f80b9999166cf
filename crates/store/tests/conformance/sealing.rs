//! Secrets at rest: under which key they are, that nothing lies in the clear, and that nothing is left of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use kernel::{Cause, Reason, RequestId, WriteContext, seal::SealingKey};
use parking_lot::Mutex;
use sea_query::{Alias, Expr, ExprTrait, Query, QueryStatementWriter};
use store::{Database, FeatureTables, MasterKeys, Migration, NewTenant, SealedColumn, StoreConfig, Tenants};
use tempfile::TempDir;
use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(a_secret_in_the_clear_closes_the_tenant, tenants_open_under_another_master_key);

/// A feature with a sealed column, and one that need not be.
const VAULT: Migration = Migration {
    feature: "vault",
    number: 1,
    name: "vault",
    statements: |ddl| {
        let mut vault = ddl.create(
            "_vault",
            [ddl.bigint("id").not_null().primary_key().take(), ddl.long_text("secret"), ddl.long_text("label")],
        );
        vec![ddl.sql(vault.if_not_exists())]
    },
};

fn vault() -> FeatureTables {
    let secret = SealedColumn { table: "_vault", column: "secret" };
    // The same column twice, to have more than one in the statement.
    FeatureTables { migrations: vec![VAULT], sealed: vec![secret, secret] }
}

async fn run(database: &Database, statement: impl QueryStatementWriter + Clone + Send + Sync + 'static) {
    let context = WriteContext::system();
    let written = database.transaction(&context, move |transaction| {
        let statement = statement.clone();
        Box::pin(async move { transaction.execute(&statement).await.map(drop) })
    });
    written.await.unwrap();
}

/// Puts a value into the vault of an open tenant.
async fn put(open: &store::OpenTenant, id: i64, secret: Option<&str>) {
    let mut insert = Query::insert();
    insert.into_table(open.system.ddl().table("_vault")).columns(["id", "secret", "label"].map(Alias::new));
    insert.values_panic([Expr::from(id), Expr::from(secret), Expr::from("in the clear")]);
    run(&open.system, insert).await;
}

async fn a_secret_in_the_clear_closes_the_tenant(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let start = async || {
        let config = fixture.config.clone();
        Tenants::start(fixture.data.path(), config, fixture.key.clone(), vault(), Vec::new()).await.unwrap()
    };
    let open = start().await.open(&fixture.tenant).await.unwrap();
    let place = kernel::seal::Place { tenant: fixture.tenant.id, table: "_vault", row: "1", column: "secret" };
    put(&open, 1, Some(&open.key.seal(place, b"x").unwrap())).await;
    put(&open, 2, Some("sealed:1:AAAA")).await;
    put(&open, 3, None).await;
    start().await.open(&fixture.tenant).await.unwrap();
    put(&open, 4, Some("hunter2 is my password")).await;
    let refused = start().await.open(&fixture.tenant).await.err().unwrap();
    assert_eq!(refused.reason, Reason::SecretsUnreadable);
    assert!(refused.message.contains("_vault.secret") && !refused.message.contains("hunter2"), "{refused}");
    fixture.end().await;
}

async fn tenants_open_under_another_master_key(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let new = SealingKey::generate();
    let told = Arc::new(AtomicU64::new(0));
    let hears = Arc::clone(&told);
    let rewrapped = fixture.tenants.rewrap(&new, move |done| hears.store(done, Ordering::Relaxed)).await.unwrap();
    assert_eq!((rewrapped, told.load(Ordering::Relaxed)), (1, 1));
    assert_eq!(fixture.tenants.rewrap(&new, |_| {}).await.unwrap(), 0);
    let start = async |key: &SealingKey| {
        Tenants::start(fixture.data.path(), fixture.config.clone(), key.clone(), Vec::new(), Vec::new()).await
    };
    let again = start(&new).await.unwrap();
    let open = again.open(&fixture.tenant).await.unwrap();
    assert_eq!(open.key.to_text(), fixture.open.key.to_text(), "the tenant's own key stays");
    let refused = kernel::Error::from(start(&fixture.key).await.err().unwrap());
    assert_eq!(refused.reason, Reason::SecretsUnreadable);
    for word in [new.id(), fixture.key.id(), "previous_master_key", "insula key rotate-master"] {
        assert!(refused.message.contains(word), "{refused}");
    }
    fixture.end().await;
}

/// An installation on SQLite alone.
struct Bench {
    data: TempDir,
    key: SealingKey,
}

impl Bench {
    fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), key: SealingKey::generate() }
    }

    async fn start(&self, keys: impl Into<MasterKeys>) -> store::Result<Arc<Tenants>> {
        Tenants::start(self.data.path(), StoreConfig::default(), keys, Vec::new(), Vec::new()).await
    }
}

async fn create(tenants: &Tenants, name: &str) -> kernel::Result<Arc<kernel::Tenant>> {
    let new = NewTenant { name: name.into(), ..NewTenant::default() };
    tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await
}

/// Changes every row of a table of the control database.
async fn change(tenants: &Tenants, table: &'static str, column: &'static str, value: Expr) {
    let mut update = Query::update();
    run(tenants.control(), update.table(Alias::new(table)).value(Alias::new(column), value).take()).await;
}

#[tokio::test]
async fn rows_of_an_older_version_open_and_are_wrapped_anew() {
    let bench = Bench::new();
    let tenants = bench.start(bench.key.clone()).await.unwrap();
    let (one, two) = (create(&tenants, "one").await.unwrap(), create(&tenants, "two").await.unwrap());
    // As it was before headers named keys and the key was noted.
    let header = format!("sealed:xc1:{}:", bench.key.id());
    let old = Expr::cust(format!("replace(wrapped_key, '{header}', 'sealed:1:')"));
    change(&tenants, "_tenants", "wrapped_key", old).await;
    run(tenants.control(), Query::delete().from_table(Alias::new("_master_key")).take()).await;
    let stranger = kernel::Error::from(bench.start(SealingKey::generate()).await.err().unwrap());
    assert_eq!(stranger.reason, Reason::SecretsUnreadable);
    let new = SealingKey::generate();
    let keys = MasterKeys::new(new.clone(), vec![bench.key.clone()]);
    let tenants = bench.start(keys).await.unwrap();
    assert_eq!(tenants.master_key_id().await.unwrap(), bench.key.id());
    tenants.open(&one).await.unwrap();
    // What is made meanwhile is wrapped under the key that the others are under.
    let three = create(&tenants, "three").await.unwrap();
    bench.start(bench.key.clone()).await.unwrap().open(&three).await.unwrap();
    assert_eq!(tenants.rewrap(&new, |_| {}).await.unwrap(), 3);
    let tenants = bench.start(new).await.unwrap();
    for tenant in [one, two, three] {
        tenants.open(&tenant).await.unwrap();
    }
}

#[tokio::test]
async fn a_secret_in_the_clear_closes_the_control_database() {
    let bench = Bench::new();
    let tenants = bench.start(bench.key.clone()).await.unwrap();
    create(&tenants, "one").await.unwrap();
    change(&tenants, "_tenants", "database_url", Expr::from("postgres://u:hidden@h/d")).await;
    let refused = kernel::Error::from(bench.start(bench.key.clone()).await.err().unwrap());
    assert_eq!(refused.reason, Reason::SecretsUnreadable);
    assert!(refused.message.contains("_tenants.database_url") && !refused.message.contains("hidden"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_looks_for_the_new_key_once() {
    let bench = Bench::new();
    let rotating = bench.start(bench.key.clone()).await.unwrap();
    let mut cold = Vec::new();
    for number in 0..20 {
        cold.push(create(&rotating, &format!("cold{number}")).await.unwrap());
    }
    let kept = Arc::new(Mutex::new(vec![bench.key.clone()]));
    let looks = Arc::new(AtomicU64::new(0));
    let (place, count) = (Arc::clone(&kept), Arc::clone(&looks));
    let keys = MasterKeys::with_source(bench.key.clone(), Vec::new(), move || {
        count.fetch_add(1, Ordering::Relaxed);
        place.lock().clone()
    });
    let serving = bench.start(keys).await.unwrap();
    let new = SealingKey::generate();
    kept.lock().push(new.clone());
    rotating.rewrap(&new, |_| {}).await.unwrap();
    let opening = cold.iter().map(|tenant| {
        let (serving, tenant) = (Arc::clone(&serving), Arc::clone(tenant));
        tokio::spawn(async move { serving.open(&tenant).await.map(drop) })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
    create(&serving, "warm").await.unwrap();
    assert_eq!(looks.load(Ordering::Relaxed), 1);
    // A key that is nowhere is not looked for by every request.
    rotating.rewrap(&SealingKey::generate(), |_| {}).await.unwrap();
    let stranded = create(&rotating, "stranded").await.unwrap();
    for _ in 0..10 {
        assert_eq!(serving.open(&stranded).await.err().unwrap().reason, Reason::SecretsUnreadable);
    }
    assert_eq!(looks.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_that_are_made_meanwhile_are_under_the_last_key() {
    let bench = Bench::new();
    let (making, rotating) =
        (bench.start(bench.key.clone()).await.unwrap(), bench.start(bench.key.clone()).await.unwrap());
    let ring: Vec<_> = (0..8).map(|_| SealingKey::generate()).collect();
    let known = ring.clone();
    let making_keys = MasterKeys::with_source(bench.key.clone(), Vec::new(), move || known.clone());
    drop(making);
    let making = bench.start(making_keys).await.unwrap();
    let work = tokio::spawn(async move {
        for number in 0..40 {
            create(&making, &format!("made{number}")).await.unwrap();
        }
    });
    let mut last = bench.key.clone();
    for key in &ring {
        rotating.rewrap(key, |_| {}).await.unwrap();
        last = key.clone();
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    work.await.unwrap();
    let tenants = bench.start(last).await.unwrap();
    for record in tenants.list().await.unwrap() {
        tenants.open(&record.tenant).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_left_of_the_key_of_a_deleted_tenant() {
    let bench = Bench::new();
    let serving = bench.start(bench.key.clone()).await.unwrap();
    for number in 0..30 {
        create(&serving, &format!("tenant-{number}")).await.unwrap();
    }
    let wrapped = async |name: &str| {
        let mut select = Query::select();
        select.column(Alias::new("wrapped_key")).from(Alias::new("_tenants"));
        select.and_where(Expr::col(Alias::new("name")).eq(name));
        serving.control().read(&select).await.unwrap()[0].text(0).unwrap().to_owned()
    };
    let files = || {
        let read = |ending| std::fs::read(bench.data.path().join(format!("control.db{ending}"))).unwrap_or_default();
        [read(""), read("-wal")].concat()
    };
    let holds = |text: &str| files().windows(text.len()).any(|window| window == text.as_bytes());
    let (doomed, spared) = (wrapped("tenant-7").await, wrapped("tenant-8").await);
    assert!(holds(&doomed) && holds(&spared), "the test looks at the wrong files");
    let request = RequestId::now();
    let context = WriteContext { user: Some(7), request: Some(request), cause: Cause::Api };
    let record = serving.by_name("tenant-7").await.unwrap();
    serving.delete(&record, &context).await.unwrap();
    assert_eq!(serving.delete(&record, &context).await.unwrap_err().reason, Reason::NotFound);
    assert!(!holds(&doomed) && holds(&spared));
    let mut note = Query::select();
    note.columns(["name", "deleted_by", "request_id"].map(Alias::new)).from(Alias::new("_deleted_tenants"));
    let notes = serving.control().read(&note).await.unwrap();
    let told: Vec<_> = (0..3).map(|index| notes[0].text(index).unwrap()).collect();
    assert_eq!((notes.len(), told), (1, vec!["tenant-7", "user 7", request.as_str()]));
    serving.rewrap(&SealingKey::generate(), |_| {}).await.unwrap();
    assert!(!holds(&spared), "what the old key opens is still there");
}

#[tokio::test]
async fn a_deletion_is_finished_by_the_next_start() {
    let bench = Bench::new();
    let tenants = bench.start(bench.key.clone()).await.unwrap();
    let tenant = create(&tenants, "one").await.unwrap();
    // As an older version left it that was killed.
    change(&tenants, "_tenants", "wrapped_key", Expr::null()).await;
    change(&tenants, "_tenants", "status", Expr::from("deleting")).await;
    let again = bench.start(bench.key.clone()).await.unwrap();
    assert!(!tenant.folder.exists() && again.list().await.unwrap().is_empty());
    let mut note = Query::select();
    note.columns(["name", "deleted_by"].map(Alias::new)).from(Alias::new("_deleted_tenants"));
    let notes = again.control().read(&note).await.unwrap();
    assert_eq!((notes[0].text(0).unwrap(), notes[0].text(1).unwrap()), ("one", "command line"));
}
