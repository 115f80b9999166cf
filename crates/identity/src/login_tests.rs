use std::{net::IpAddr, sync::Arc};

use kernel::{ByteSize, Reason, RequestId, Secret, Tenant, seal::SealingKey};
use store::{NewTenant, StoreConfig, Tenants};
use tempfile::TempDir;

use super::Visitor;
use crate::{Bootstrap, Identity, IdentityConfig, MIGRATIONS, NewUser, UserStatus};

const PASSWORD: &str = "correct horse battery";

async fn identity() -> (Arc<Identity>, Arc<Tenant>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tenants =
        Tenants::start(folder.path(), StoreConfig::default(), SealingKey::generate(), MIGRATIONS.to_vec()).await;
    let tenants = tenants.unwrap();
    let config = IdentityConfig { password_memory: ByteSize(64 << 10), ..IdentityConfig::default() };
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
    let (identity, tenant, _folder) = identity().await;
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
