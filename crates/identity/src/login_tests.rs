use std::{net::IpAddr, sync::Arc};

use kernel::{
    Authenticator, ByteSize, Door, HostTenant, Presented, Reason, RequestId, Secret, Tenant, WriteContext,
    seal::SealingKey, time::Timestamp,
};
use sea_query::{Alias, Expr, ExprTrait, Query};
use store::{NewTenant, StoreConfig, Tenants, Value};
use tempfile::TempDir;

use super::Visitor;
use crate::{Bootstrap, Identity, IdentityConfig, MIGRATIONS, NewUser, UserStatus};

const PASSWORD: &str = "correct horse battery";

fn cheap() -> IdentityConfig {
    IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() }
}

async fn identity_with(config: IdentityConfig) -> (Arc<Identity>, Arc<Tenant>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tenants =
        Tenants::start(folder.path(), StoreConfig::default(), SealingKey::generate(), MIGRATIONS.to_vec(), Vec::new());
    let tenants = tenants.await.unwrap();
    let identity = Identity::new(Arc::clone(&tenants), config, Bootstrap::default());
    let new = NewTenant { name: "example".into(), ..NewTenant::default() };
    let tenant = tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    (identity, tenant, folder)
}

fn visitor() -> Visitor {
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
async fn a_session_is_believed_without_asking_the_database() {
    let aged = Aged::new(cheap(), 1).await;
    assert_eq!(aged.enter().await.as_deref(), Ok("known"));
    aged.write("_users", [("name", "renamed behind its back".into())]).await;
    assert_eq!(aged.enter().await.as_deref(), Ok("known"));
    aged.identity.sessions.doubt(|_| true);
    assert_eq!(aged.enter().await.as_deref(), Ok("renamed behind its back"));
}
