use std::{sync::Arc, time::Duration};

use kernel::{Secret, WriteContext, seal::SealingKey, time::Timestamp};
use store::{Database, NewTenant, StoreConfig, Tenants};
use tempfile::TempDir;
use testkit::{Backend, on_all_databases};
use uuid::Uuid;

use super::{CONTROL_MIGRATIONS, Outcome, Queued, add, claim, due, earlier, finish, sweep};
use crate::letters::{Facts, Kind};

on_all_databases!(
    a_letter_is_claimed_once_however_many_want_it,
    what_becomes_of_a_letter_is_written_down,
    a_claim_that_ran_out_decides_nothing,
    a_tenant_has_so_many_waiting_and_is_passed_over_when_it_has_enough,
    letters_of_a_kind_to_an_address_are_counted,
);

/// The letters' table in a database of its own, which is removed at the end.
struct Desk {
    tenants: Arc<Tenants>,
    database: Database,
    _folder: TempDir,
}

impl Desk {
    async fn new(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { database: Secret::new(backend.url()), connections: 8, ..StoreConfig::default() };
        let tenants =
            Tenants::start(folder.path(), config, SealingKey::generate(), CONTROL_MIGRATIONS.to_vec(), Vec::new());
        let tenants = tenants.await.unwrap();
        let name: String = format!("t{}", Uuid::new_v4().simple()).chars().take(20).collect();
        let new = NewTenant { name, ..NewTenant::default() };
        let tenant = tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
        let database = tenants.open(&tenant).await.unwrap().system.clone();
        Self { tenants, database, _folder: folder }
    }

    async fn end(self) {
        for record in self.tenants.list().await.unwrap() {
            self.tenants.delete(&record, &WriteContext::system()).await.unwrap();
        }
    }
}

fn letter(tenant: Uuid, address: &str) -> Queued {
    let now = kernel::time::now();
    Queued {
        id: Uuid::now_v7(),
        tenant,
        kind: Kind::ResetPassword,
        address: address.to_owned(),
        user: None,
        facts: Facts { client: Some("192.0.2.1".to_owned()), ..Facts::default() },
        attempts: 0,
        due_at: now,
        created_at: now,
    }
}

fn soon() -> Timestamp {
    kernel::time::now().checked_add(Duration::from_mins(1)).unwrap()
}

async fn a_letter_is_claimed_once_however_many_want_it(backend: Backend) {
    let letters = Desk::new(backend).await;
    let stored = letter(Uuid::now_v7(), "a@example.com");
    assert!(add(&letters.database, stored.clone(), 10).await.unwrap());
    let found = due(&letters.database, &[], 10).await.unwrap();
    assert_eq!((found.len(), &found[0].facts, found[0].due_at), (1, &stored.facts, stored.due_at));
    let claims: Vec<_> = (0..8)
        .map(|_| {
            let (database, mut letter) = (letters.database.clone(), found[0].clone());
            tokio::spawn(async move { claim(&database, &mut letter, soon()).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for claimed in claims {
        won += usize::from(claimed.await.unwrap());
    }
    assert_eq!(won, 1);
    assert!(due(&letters.database, &[], 10).await.unwrap().is_empty());
    letters.end().await;
}

async fn what_becomes_of_a_letter_is_written_down(backend: Backend) {
    let letters = Desk::new(backend).await;
    let database = &letters.database;
    let tenant = Uuid::now_v7();
    let now = kernel::time::now();
    for outcome in [Outcome::Sent, Outcome::Dropped, Outcome::Again(now)] {
        let mut letter = letter(tenant, "a@example.com");
        add(database, letter.clone(), 10).await.unwrap();
        assert!(claim(database, &mut letter, soon()).await.unwrap());
        finish(database, &letter, outcome).await.unwrap();
    }
    let found = due(database, &[], 10).await.unwrap();
    assert_eq!(found.iter().map(|letter| letter.attempts).collect::<Vec<_>>(), [1]);
    assert_eq!(sweep(database, now).await.unwrap(), 0);
    assert_eq!(sweep(database, soon()).await.unwrap(), 1, "the one that was sent");
    assert_eq!(due(database, &[], 10).await.unwrap().len(), 1);
    letters.end().await;
}

async fn a_claim_that_ran_out_decides_nothing(backend: Backend) {
    let letters = Desk::new(backend).await;
    let database = &letters.database;
    let mut late = letter(Uuid::now_v7(), "a@example.com");
    add(database, late.clone(), 10).await.unwrap();
    assert!(claim(database, &mut late, kernel::time::now()).await.unwrap());
    let mut next = due(database, &[], 10).await.unwrap().remove(0);
    assert!(claim(database, &mut next, soon()).await.unwrap());
    finish(database, &late, Outcome::Again(kernel::time::now())).await.unwrap();
    finish(database, &late, Outcome::Dropped).await.unwrap();
    assert!(due(database, &[], 10).await.unwrap().is_empty(), "the second claim holds");
    finish(database, &next, Outcome::Again(kernel::time::now())).await.unwrap();
    assert_eq!(due(database, &[], 10).await.unwrap()[0].attempts, 2);
    letters.end().await;
}

async fn a_tenant_has_so_many_waiting_and_is_passed_over_when_it_has_enough(backend: Backend) {
    let letters = Desk::new(backend).await;
    let database = &letters.database;
    let (busy, other) = (Uuid::now_v7(), Uuid::now_v7());
    for expected in [true, true, true, false] {
        assert_eq!(add(database, letter(busy, "a@example.com"), 3).await.unwrap(), expected);
    }
    assert!(add(database, letter(other, "a@example.com"), 3).await.unwrap());
    assert_eq!(due(database, &[], 2).await.unwrap().len(), 2);
    let found = due(database, &[busy], 10).await.unwrap();
    assert_eq!(found.iter().map(|letter| letter.tenant).collect::<Vec<_>>(), [other]);
    letters.end().await;
}

async fn letters_of_a_kind_to_an_address_are_counted(backend: Backend) {
    let letters = Desk::new(backend).await;
    let database = &letters.database;
    let (tenant, begun) = (Uuid::now_v7(), kernel::time::now());
    let before = begun.checked_sub(Duration::from_secs(1)).unwrap();
    let all: Vec<_> = (0..4).map(|_| letter(tenant, "a@example.com")).collect();
    for letter in &all {
        add(database, letter.clone(), 10).await.unwrap();
    }
    add(database, letter(tenant, "b@example.com"), 10).await.unwrap();
    add(database, letter(Uuid::now_v7(), "a@example.com"), 10).await.unwrap();
    add(database, Queued { kind: Kind::VerifyEmail, ..letter(tenant, "a@example.com") }, 10).await.unwrap();
    for (expected, letter) in (0..).zip(&all) {
        assert_eq!(earlier(database, letter, before).await.unwrap(), expected);
    }
    assert_eq!(earlier(database, &all[3], soon()).await.unwrap(), 0);
    letters.end().await;
}
