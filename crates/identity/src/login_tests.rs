use std::{net::IpAddr, sync::Arc};

use kernel::{
    Authenticator, ByteSize, Door, HostTenant, Presented, Reason, RequestId, Secret, Tenant, WriteContext,
    seal::SealingKey, time::Timestamp,
};
use sea_query::{Alias, Expr, ExprTrait, Query};
use store::{NewTenant, StoreConfig, Tenants, Value};
use tempfile::TempDir;

use super::Visitor;
use crate::{Bootstrap, Identity, IdentityConfig, MIGRATIONS, NewUser, UserStatus, tables::users};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The data API is not here to ask.
struct AnyRules;

impl kernel::RuleCheck for AnyRules {
    fn check_rules(&self, _: &[String], _: &[String]) -> kernel::Result<()> {
        Ok(())
    }
}

pub(crate) fn cheap() -> IdentityConfig {
    IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() }
}

pub(crate) async fn identity_with(config: IdentityConfig) -> (Arc<Identity>, Arc<Tenant>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tenants =
        Tenants::start(folder.path(), StoreConfig::default(), SealingKey::generate(), MIGRATIONS.to_vec(), Vec::new());
    let tenants = tenants.await.unwrap();
    let identity = Identity::new(
        Arc::clone(&tenants),
        config,
        Bootstrap::default(),
        Arc::new(AnyRules),
        Arc::new(kernel::settings::NoTables),
    );
    let new = NewTenant { name: "example".into(), ..NewTenant::default() };
    let tenant = tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    (identity, tenant, folder)
}

pub(crate) fn visitor() -> Visitor {
    Visitor { request: RequestId::now(), client: IpAddr::from([127, 0, 0, 1]), user_agent: None }
}

#[tokio::test]
async fn every_refusal_costs_one_comparison() {
    let (identity, tenant, _folder) = identity_with(cheap()).await;
    let open = identity.tenants.open(&tenant).await.unwrap();
    let new = |name: &str, password: Option<&str>| NewUser {
        username: name.into(),
        password: password.map(Secret::new),
        ..NewUser::default()
    };
    identity.create_user(&open, new("known", Some(PASSWORD))).await.unwrap();
    identity.create_user(&open, new("bare", None)).await.unwrap();
    let off = identity.create_user(&open, new("off", Some(PASSWORD))).await.unwrap();
    identity.set_status(&open, off.id, UserStatus::Suspended).await.unwrap();
    let attempts = [
        ("known", "wrong wrong"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("bare", PASSWORD),
        ("off", PASSWORD),
        ("", ""),
    ];
    for (name, password) in attempts {
        let before = identity.hasher.comparisons();
        let refused = identity.log_in(&tenant, &visitor(), name, &Secret::new(password)).await;
        assert_eq!(refused.err().map(|error| error.reason), Some(Reason::CredentialsInvalid), "{name}");
        assert_eq!(identity.hasher.comparisons() - before, 1, "{name}");
    }
    let entered = identity.log_in(&tenant, &visitor(), "known", &Secret::new(PASSWORD)).await.ok().unwrap();
    assert_eq!(entered.user.username, "known");
}

#[tokio::test]
async fn every_refusal_of_a_pin_or_a_card_is_the_same() {
    let desk = vec!["127.0.0.0/8".parse().unwrap()];
    let lists = IdentityConfig { whitelisted_pin_ips: desk.clone(), whitelisted_string_ips: desk, ..cheap() };
    let (identity, tenant, _folder) = identity_with(lists).await;
    let open = identity.tenants.open(&tenant).await.unwrap();
    let new = |name: &str| NewUser { username: name.into(), ..NewUser::default() };
    let (pin, card) = (Secret::new("0417"), Secret::new("NFC-04A2B19C"));
    let known = identity.create_user(&open, new("known")).await.unwrap();
    identity.set_pin(&open, known.id, Some(&pin)).await.unwrap();
    identity.set_login_string(&open, known.id, Some(&card)).await.unwrap();
    let off = identity.create_user(&open, new("off")).await.unwrap();
    identity.set_pin(&open, off.id, Some(&pin)).await.unwrap();
    let off_card = Secret::new("NFC-FFFFFFFF");
    identity.set_login_string(&open, off.id, Some(&off_card)).await.unwrap();
    identity.set_status(&open, off.id, UserStatus::Suspended).await.unwrap();
    identity.create_user(&open, new("bare")).await.unwrap();
    for (name, pin) in [("known", "0418"), ("known", ""), ("off", "0417"), ("bare", "0417"), ("nobody", "0417")] {
        let refused = identity.log_in_by_pin(&tenant, &visitor(), name, &Secret::new(pin)).await;
        assert_eq!(refused.err().map(|error| error.reason), Some(Reason::CredentialsInvalid), "{name}");
    }
    for text in ["NFC-04A2B19D", "nfc-04a2b19c", "NFC-FFFFFFFF", ""] {
        let refused = identity.log_in_by_card(&tenant, &visitor(), &Secret::new(text)).await;
        assert_eq!(refused.err().map(|error| error.reason), Some(Reason::CredentialsInvalid), "{text}");
    }
    assert!(identity.log_in_by_pin(&tenant, &visitor(), "KNOWN", &pin).await.is_ok());
    assert_eq!(identity.log_in_by_card(&tenant, &visitor(), &card).await.ok().unwrap().user.username, "known");
    // Nothing of it costs a hash, so that log-ins by password are not in each other's way.
    assert_eq!(identity.hasher.comparisons(), 0);
    let stored = users::find(&open.system, &users::Lookup::Id(known.id)).await.unwrap().unwrap();
    for hash in [stored.pin.unwrap(), stored.login_string.unwrap()] {
        assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    }
    identity.set_pin(&open, known.id, None).await.unwrap();
    identity.set_login_string(&open, known.id, None).await.unwrap();
    assert!(identity.log_in_by_pin(&tenant, &visitor(), "known", &pin).await.is_err());
    assert!(identity.log_in_by_card(&tenant, &visitor(), &card).await.is_err());
}

#[tokio::test]
async fn pins_and_cards_are_checked_and_a_card_is_one_users() {
    let (identity, tenant, _folder) = identity_with(cheap()).await;
    let open = identity.tenants.open(&tenant).await.unwrap();
    let new = |name: &str| NewUser { username: name.into(), ..NewUser::default() };
    let [ann, bob] = [identity.create_user(&open, new("ann")).await, identity.create_user(&open, new("bob")).await];
    let (ann, bob) = (ann.unwrap().id, bob.unwrap().id);
    for bad in ["", "123", "1234567890123", "12a4", "١٢٣٤", " 1234"] {
        let error = identity.set_pin(&open, ann, Some(&Secret::new(bad))).await.unwrap_err();
        assert_eq!((error.reason, error.field.as_deref()), (Reason::FieldInvalid, Some("pin")), "{bad}");
    }
    for bad in ["", "1234567", "1234 5678", "12345678\n", &"x".repeat(129)] {
        let error = identity.set_login_string(&open, ann, Some(&Secret::new(bad))).await.unwrap_err();
        assert_eq!((error.reason, error.field.as_deref()), (Reason::FieldInvalid, Some("login_string")), "{bad}");
    }
    // The same PIN of two people is not the same in the database; the same card is.
    let (pin, card) = (Secret::new("123456789012"), Secret::new("x".repeat(128)));
    identity.set_pin(&open, ann, Some(&pin)).await.unwrap();
    identity.set_pin(&open, bob, Some(&pin)).await.unwrap();
    identity.set_login_string(&open, ann, Some(&card)).await.unwrap();
    identity.set_login_string(&open, ann, Some(&card)).await.unwrap();
    let error = identity.set_login_string(&open, bob, Some(&card)).await.unwrap_err();
    assert_eq!((error.reason, error.field.as_deref()), (Reason::NameTaken, Some("login_string")));
    let nobody = uuid::Uuid::nil();
    assert_eq!(identity.set_pin(&open, nobody, Some(&pin)).await.unwrap_err().reason, Reason::NotFound);
    assert_eq!(identity.set_login_string(&open, nobody, None).await.unwrap_err().reason, Reason::NotFound);
}

#[tokio::test]
async fn an_imported_hash_is_renewed_by_the_first_log_in() {
    let (identity, tenant, _folder) = identity_with(cheap()).await;
    let open = identity.tenants.open(&tenant).await.unwrap();
    // "U*U", from the test vectors of crypt_blowfish.
    let hash = Secret::new("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
    let new = NewUser { username: "moved".into(), password_hash: Some(hash), ..NewUser::default() };
    let user = identity.create_user(&open, new).await.unwrap();
    let stored =
        async || users::find(&open.system, &users::Lookup::Id(user.id)).await.unwrap().unwrap().password.unwrap();
    assert!(stored().await.starts_with("$2a$"));
    assert!(identity.log_in(&tenant, &visitor(), "moved", &Secret::new("U*V")).await.is_err());
    assert!(stored().await.starts_with("$2a$"));
    // At once, so that some find the hash renewed by another.
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (identity, tenant) = (Arc::clone(&identity), Arc::clone(&tenant));
        crowd.spawn(async move { identity.log_in(&tenant, &visitor(), "moved", &Secret::new("U*U")).await.is_ok() });
    }
    let outcomes = crowd.join_all().await;
    assert!(outcomes.iter().all(|entered| *entered), "{outcomes:?}");
    let renewed = stored().await;
    assert!(renewed.starts_with("$argon2id$"), "{renewed}");
    assert!(identity.log_in(&tenant, &visitor(), "moved", &Secret::new("U*U")).await.is_ok());
    assert_eq!(stored().await, renewed);
    let bad = NewUser { username: "bad".into(), password_hash: Some(Secret::new("md5")), ..NewUser::default() };
    let error = identity.create_user(&open, bad).await.unwrap_err();
    assert_eq!((error.reason, error.field.as_deref()), (Reason::FieldInvalid, Some("password_hash")));
}

/// Somebody with a session that began a while ago, written straight into the database.
struct Aged {
    identity: Arc<Identity>,
    tenant: Arc<Tenant>,
    token: String,
    _folder: TempDir,
}

impl Aged {
    async fn new(config: IdentityConfig, minutes: i64) -> Self {
        let (identity, tenant, folder) = identity_with(config).await;
        let open = identity.tenants.open(&tenant).await.unwrap();
        let new = NewUser { username: "known".into(), password: Some(Secret::new(PASSWORD)), ..NewUser::default() };
        identity.create_user(&open, new).await.unwrap();
        let entered = identity.log_in(&tenant, &visitor(), "known", &Secret::new(PASSWORD)).await.ok().unwrap();
        let aged = Self { identity, tenant, token: entered.tokens.token, _folder: folder };
        let began = minutes_ago(minutes);
        let end = minutes_ago(minutes - 60);
        let values = [("created_at", began), ("last_accessed", began), ("expires_at", end), ("refresh_until", end)];
        aged.write("_sessions", values.map(|(name, moment)| (name, moment.into()))).await;
        aged
    }

    async fn write<const N: usize>(&self, table: &'static str, values: [(&'static str, Value); N]) {
        let open = self.identity.tenants.open(&self.tenant).await.unwrap();
        let mut update = Query::update();
        update.table(open.system.ddl().table(table));
        for (name, value) in values {
            update.value(Alias::new(name), Expr::from(value));
        }
        let context = WriteContext::system();
        let work = open.system.transaction(&context, move |transaction| {
            let update = update.clone();
            Box::pin(async move { transaction.execute(&update).await })
        });
        assert_eq!(work.await.unwrap(), 1);
    }

    /// Moments of last use and end, of each session there is.
    async fn moments(&self) -> Vec<(Timestamp, Timestamp)> {
        let open = self.identity.tenants.open(&self.tenant).await.unwrap();
        let mut select = Query::select();
        select.columns(["last_accessed", "expires_at"].map(Alias::new)).from(open.system.ddl().table("_sessions"));
        select.and_where(Expr::col(Alias::new("id")).is_not_null());
        let rows = open.system.read(&select).await.unwrap();
        rows.iter().map(|row| (row.timestamp(0).unwrap(), row.timestamp(1).unwrap())).collect()
    }

    async fn enter(&self) -> Result<String, Reason> {
        let host = HostTenant { tenant: Arc::clone(&self.tenant), explicit: true };
        let client = std::net::Ipv4Addr::LOCALHOST.into();
        let presented = Presented { host: &host, token: &self.token, door: Door::Api, client, origin: None };
        let entered = self.identity.authenticate(presented).await;
        entered.map(|it| it.principal.name.clone()).map_err(|error| error.reason)
    }
}

fn minutes_ago(minutes: i64) -> Timestamp {
    let micros = kernel::time::now().as_microsecond() - minutes * 60_000_000;
    Timestamp::from_microsecond(micros).unwrap()
}

#[tokio::test]
async fn activity_is_written_down_and_moves_the_end() {
    let aged = Aged::new(cheap(), 59).await;
    aged.enter().await.unwrap();
    aged.identity.flush().await;
    let (last_accessed, expires_at) = aged.moments().await[0];
    assert!(last_accessed > minutes_ago(1) && expires_at > minutes_ago(-59));
    assert_eq!(expires_at.duration_since(last_accessed).as_secs(), 3_600);
}

#[tokio::test]
async fn without_refreshing_nothing_is_moved() {
    let config = IdentityConfig { refresh_session_on_activity: false, ..cheap() };
    let aged = Aged::new(config.clone(), 59).await;
    let before = aged.moments().await;
    aged.enter().await.unwrap();
    aged.identity.flush().await;
    assert_eq!(aged.moments().await, before);
    assert_eq!(Aged::new(config, 61).await.enter().await, Err(Reason::SessionInvalid));
}

#[tokio::test]
async fn what_ended_long_ago_is_swept_where_there_is_activity() {
    let aged = Aged::new(cheap(), 60).await;
    assert_eq!(aged.enter().await, Err(Reason::SessionInvalid));
    let again = aged.identity.log_in(&aged.tenant, &visitor(), "known", &Secret::new(PASSWORD)).await.ok().unwrap();
    let aged = Aged { token: again.tokens.token, ..aged };
    aged.enter().await.unwrap();
    aged.identity.sessions.sweep().await;
    assert_eq!(aged.moments().await.len(), 2, "another process may know of later activity");
    let long_ago = Aged::new(cheap(), 90).await;
    let again = long_ago.identity.log_in(&long_ago.tenant, &visitor(), "known", &Secret::new(PASSWORD)).await;
    let long_ago = Aged { token: again.ok().unwrap().tokens.token, ..long_ago };
    long_ago.enter().await.unwrap();
    long_ago.identity.sessions.sweep().await;
    assert_eq!(long_ago.moments().await.len(), 1);
}

#[tokio::test]
async fn what_can_be_renewed_is_not_swept() {
    let aged = Aged::new(cheap(), 90).await;
    aged.write("_sessions", [("refresh_until", minutes_ago(-1).into())]).await;
    let again = aged.identity.log_in(&aged.tenant, &visitor(), "known", &Secret::new(PASSWORD)).await;
    let aged = Aged { token: again.ok().unwrap().tokens.token, ..aged };
    aged.enter().await.unwrap();
    aged.identity.sessions.sweep().await;
    assert_eq!(aged.moments().await.len(), 2);
}

#[tokio::test]
async fn a_session_is_believed_without_asking_the_database() {
    let aged = Aged::new(cheap(), 1).await;
    assert_eq!(aged.enter().await.as_deref(), Ok("known"));
    aged.write("_users", [("name", "renamed behind its back".into())]).await;
    assert_eq!(aged.enter().await.as_deref(), Ok("known"));
    aged.identity.sessions.doubt(|_| true);
    assert_eq!(aged.enter().await.as_deref(), Ok("renamed behind its back"));
}
