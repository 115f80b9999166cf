//! Tenants: made whole, kept apart, removed for ever.

use kernel::{Reason, TenantDirectory, TenantStatus, WriteContext, seal::Place};
use store::{NewTenant, Tenants};

use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(
    a_tenant_is_found_until_it_is_deleted,
    names_and_domains_are_taken_once,
    a_failed_creation_leaves_nothing,
    an_existing_database_is_adopted,
    a_tenant_stays_where_it_is,
    a_database_with_another_tenants_users_is_not_adopted,
);

fn new(name: &str, domain: Option<&str>) -> NewTenant {
    NewTenant { name: name.into(), domain: domain.map(str::to_owned), ..NewTenant::default() }
}

async fn a_tenant_is_found_until_it_is_deleted(backend: Backend) {
    let fixture = Fixture::with_tables(backend, "CREATE TABLE t (id SERIAL)").await;
    let (tenants, tenant) = (&fixture.tenants, &fixture.tenant);
    let place = Place { tenant: tenant.id, table: "t", row: "1", column: "c" };
    let sealed = fixture.open.key.seal(place, b"x").unwrap();
    let again =
        Tenants::start(fixture.data.path(), fixture.config.clone(), fixture.key.clone(), Vec::new(), Vec::new())
            .await
            .unwrap();
    let found = again.first().await.unwrap().unwrap();
    assert_eq!(found, *tenant);
    assert_eq!(again.open(&found).await.unwrap().key.open(place, &sealed).unwrap(), b"x");
    tenants.set_status(tenant, TenantStatus::Suspended).await.unwrap();
    assert_eq!(tenants.by_id(tenant.id).await.unwrap().unwrap().status, TenantStatus::Suspended);
    let record = tenants.by_name(&tenant.name).await.unwrap();
    tenants.delete(&record, &WriteContext::system()).await.unwrap();
    assert!(tenants.first().await.unwrap().is_none());
    assert!(!tenant.folder.exists());
    assert_eq!(tenants.by_name(&tenant.name).await.unwrap_err().reason, Reason::NotFound);
    let made = tenants.create(new(&tenant.name, None), |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    assert!(tenants.open(&made).await.unwrap().data.schema().table("t").is_none(), "the old data came back");
    let record = tenants.by_name(&tenant.name).await.unwrap();
    tenants.delete(&record, &WriteContext::system()).await.unwrap();
}

async fn names_and_domains_are_taken_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let tenants = &fixture.tenants;
    let refusal =
        async |new: NewTenant| tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap_err().reason;
    assert_eq!(refusal(new(&fixture.tenant.name, None)).await, Reason::NameTaken);
    assert_eq!(refusal(new("Bad Name", None)).await, Reason::FieldInvalid);
    assert_eq!(refusal(new("fine", Some("not a domain"))).await, Reason::FieldInvalid);
    assert_eq!(refusal(NewTenant { first: true, ..new("other", None) }).await, Reason::AlreadyInitialised);
    fixture.end().await;
}

async fn a_failed_creation_leaves_nothing(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let name = format!("{}x", fixture.tenant.name);
    let failing = fixture
        .tenants
        .create(new(&name, None), |_, _| Box::pin(async { Err(kernel::Error::plain(Reason::Busy)) }))
        .await;
    assert_eq!(failing.unwrap_err().reason, Reason::Busy);
    assert!(fixture.tenants.by_name(&name).await.is_err());
    let made = fixture.tenants.create(new(&name, None), |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    assert_eq!(made.name, name);
    let record = fixture.tenants.by_name(&name).await.unwrap();
    fixture.tenants.delete(&record, &WriteContext::system()).await.unwrap();
    fixture.end().await;
}

async fn an_existing_database_is_adopted(backend: Backend) {
    let owner = Fixture::with_tables(backend, "CREATE TABLE goods (id SERIAL, name VARCHAR(20))").await;
    owner.insert("goods", &[("name", store::Value::from("pen"))]).await.unwrap();
    let url = url_of(&owner, backend);
    let fixture = Fixture::new(backend).await;
    let name = format!("{}a", fixture.tenant.name);
    let adopting = NewTenant { database: Some(url), ..new(&name, None) };
    let adopted = fixture.tenants.create(adopting, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    let open = fixture.tenants.open(&adopted).await.unwrap();
    assert!(open.data.schema().table("goods").is_some());
    let record = fixture.tenants.by_name(&name).await.unwrap();
    fixture.tenants.delete(&record, &WriteContext::system()).await.unwrap();
    assert!(owner.json("goods").await.contains("pen"), "deleting the tenant took the adopted table with it");
    fixture.end().await;
    owner.end().await;
}

async fn a_tenant_stays_where_it_is(backend: Backend) {
    let fixture = Fixture::with_tables(backend, "CREATE TABLE t (id SERIAL)").await;
    let elsewhere = match backend {
        Backend::Sqlite => "postgres://nobody@127.0.0.1:1/none",
        Backend::Postgres | Backend::Mariadb => "sqlite",
    };
    let config = store::StoreConfig { database: kernel::Secret::new(elsewhere), ..fixture.config.clone() };
    let moved = Tenants::start(fixture.data.path(), config, fixture.key.clone(), Vec::new(), Vec::new()).await.unwrap();
    let found = moved.first().await.unwrap().unwrap();
    match (backend, moved.open(&found).await) {
        (Backend::Sqlite, open) => assert!(open.unwrap().data.schema().table("t").is_some()),
        (_, open) => assert_eq!(open.err().unwrap().reason, Reason::DatabaseUnavailable),
    }
    fixture.end().await;
}

/// The URL with which a tenant's own database can be adopted.
fn url_of(owner: &Fixture, backend: Backend) -> String {
    match backend {
        Backend::Sqlite => format!("sqlite://{}", owner.tenant.folder.join("insula.db").display()),
        Backend::Postgres => {
            format!("{}?schema={}", owner.config.database.expose(), owner.open.data.qualifier().unwrap())
        }
        Backend::Mariadb => format!("{}{}", owner.config.database.expose(), owner.open.data.qualifier().unwrap()),
    }
}

async fn a_database_with_another_tenants_users_is_not_adopted(backend: Backend) {
    const USERS: store::Migration = store::Migration {
        feature: "identity",
        number: 1,
        name: "users",
        statements: |ddl| vec![ddl.sql(ddl.create("_users", [ddl.serial("id")]).if_not_exists())],
    };
    let owner = Fixture::new(backend).await;
    store::migrate(&owner.open.data, &[USERS]).await.unwrap();
    let name = format!("{}b", owner.tenant.name);
    let adopting = NewTenant { database: Some(url_of(&owner, backend)), ..new(&name, None) };
    let refused = owner.tenants.create(adopting, |_, _| Box::pin(async { Ok(()) })).await.unwrap_err();
    assert_eq!((refused.reason, refused.field.as_deref()), (Reason::Conflict, Some("database")));
    owner.end().await;
}
