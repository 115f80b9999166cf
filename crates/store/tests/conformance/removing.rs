//! What must never be removed, and what must not stand in the way.

use kernel::{Reason, TenantDirectory, WriteContext};
use store::{NewTenant, Tenants};
use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(
    names_of_insulas_own_places_are_refused,
    a_list_of_tenants_is_never_removed,
    what_cannot_be_removed_is_not_begun,
    a_deletion_that_is_stuck_keeps_nothing_from_starting,
    two_processes_do_not_make_the_same_tenant,
);

fn new(name: &str) -> NewTenant {
    NewTenant { name: name.into(), ..NewTenant::default() }
}

async fn names_of_insulas_own_places_are_refused(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    for name in ["control", "shop-system", "a-b-system"] {
        let refused = fixture.tenants.create(new(name), |_, _| Box::pin(async { Ok(()) })).await.unwrap_err();
        assert_eq!((refused.reason, refused.field.as_deref()), (Reason::FieldInvalid, Some("name")), "{name}");
    }
    fixture.end().await;
}

/// The schema of the one installation that lies where the other is about to make a tenant.
async fn a_list_of_tenants_is_never_removed(backend: Backend) {
    if backend == Backend::Sqlite {
        // Its files are in folders of their own.
        return;
    }
    let other = Fixture::with_tables(backend, "CREATE TABLE _deleted_tenants (id SERIAL)").await;
    let fixture = Fixture::new(backend).await;
    let made = fixture.tenants.create(new(&other.tenant.name), |_, _| Box::pin(async { Ok(()) })).await;
    assert_eq!(made.unwrap_err().reason, Reason::Conflict);
    other.open.data.refresh_schema().await.unwrap();
    assert!(other.open.data.schema().table("_deleted_tenants").is_some(), "it was removed");
    other.migrate("0002_gone.sql", "DROP TABLE _deleted_tenants").await.unwrap();
    fixture.end().await;
    other.end().await;
}

async fn what_cannot_be_removed_is_not_begun(backend: Backend) {
    if backend == Backend::Sqlite {
        // A file is where it is, whatever `store.database` says.
        return;
    }
    let fixture = Fixture::new(backend).await;
    let config = store::StoreConfig { database: kernel::Secret::new("sqlite"), ..fixture.config.clone() };
    let moved = Tenants::start(fixture.data.path(), config, fixture.key.clone(), Vec::new(), Vec::new()).await.unwrap();
    let record = moved.by_name(&fixture.tenant.name).await.unwrap();
    let refused = moved.delete(&record, &WriteContext::system()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::DatabaseUnavailable);
    fixture.tenants.open(&fixture.tenant).await.unwrap().data.probe().await.unwrap();
    fixture.end().await;
}

async fn a_deletion_that_is_stuck_keeps_nothing_from_starting(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let name = &fixture.tenant.name;
    let start = async || {
        Tenants::start(fixture.data.path(), fixture.config.clone(), fixture.key.clone(), Vec::new(), Vec::new())
            .await
            .unwrap()
    };
    let record = fixture.tenants.by_name(name).await.unwrap();
    // A file in place of the folder cannot be removed as one.
    std::fs::remove_dir_all(&fixture.tenant.folder).unwrap();
    std::fs::write(&fixture.tenant.folder, "").unwrap();
    let stuck = fixture.tenants.delete(&record, &WriteContext::system()).await.unwrap_err();
    assert_eq!(stuck.reason, Reason::DatabaseUnavailable);
    let tenants = start().await;
    assert!(tenants.first().await.unwrap().is_none());
    let taken = tenants.create(new(name), |_, _| Box::pin(async { Ok(()) })).await.unwrap_err();
    assert_eq!(taken.reason, Reason::NameTaken, "it is not gone yet");
    std::fs::remove_file(&fixture.tenant.folder).unwrap();
    let tenants = start().await;
    tenants.create(new(name), |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    let record = tenants.by_name(name).await.unwrap();
    tenants.delete(&record, &WriteContext::system()).await.unwrap();
}

async fn two_processes_do_not_make_the_same_tenant(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let start =
        Tenants::start(fixture.data.path(), fixture.config.clone(), fixture.key.clone(), Vec::new(), Vec::new());
    let other = start.await.unwrap();
    let name = format!("{}r", fixture.tenant.name);
    let make = async |tenants: &Tenants, number: u32| {
        let made = tenants.create(new(&name), move |tenant, open| {
            Box::pin(async move {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                let folder = tenant.folder.join("migrations");
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join("0001_mark.sql"), format!("CREATE TABLE mark{number} (id INT)")).unwrap();
                store::apply_scripts(&open.data, &folder).await.map(drop).map_err(kernel::Error::from)
            })
        });
        made.await.map(|tenant| (tenant, number)).map_err(|error| error.reason)
    };
    let (one, two) = tokio::join!(make(&fixture.tenants, 1), make(&other, 2));
    let ((tenant, number), refused) = match (one, two) {
        (Ok(made), Err(reason)) | (Err(reason), Ok(made)) => (made, reason),
        both => panic!("{both:?}"),
    };
    assert_eq!(refused, Reason::NameTaken);
    let open = fixture.tenants.open(&tenant).await.unwrap();
    assert!(open.data.schema().table(&format!("mark{number}")).is_some(), "the loser removed the winner's tables");
    let record = fixture.tenants.by_name(&name).await.unwrap();
    fixture.tenants.delete(&record, &WriteContext::system()).await.unwrap();
    fixture.end().await;
}
