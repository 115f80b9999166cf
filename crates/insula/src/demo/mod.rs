//! The demonstration: a tenant with an inventory, an account for each group, and calls to paste.

mod accounts;
mod data;
mod tables;
mod tour;
mod words;

use std::{fs, path::Path, sync::Arc};

use identity::{Identity, NewUser};
use kernel::{Error, Reason, Secret, Tenant};
use store::{NewTenant, OpenTenant};

pub(crate) use self::tour::tour;
use crate::{Account, Installation, Ready, failure::Result};

const TENANT: &str = "demo";
const DOMAIN: &str = "demo.localhost";
/// The tenant's row rules.
const RULES: &str = include_str!("rules.toml");

/// Makes the tenant where it is missing and tells how to use it.
pub(crate) async fn prepare(installation: &Installation, url: &str) -> Result<Ready> {
    let (accounts, known) = accounts::load_or_make(&installation.config.data)?;
    match installation.tenants.by_name(TENANT).await {
        Ok(record) if !known => {
            let open = installation.tenants.open(&record.tenant).await?;
            renew_passwords(&installation.features.identity, &open, &accounts).await?;
        }
        Ok(_) => {}
        Err(error) if error.reason == Reason::NotFound => create(installation, &accounts).await?,
        Err(error) => return Err(error.into()),
    }
    let first = installation.first_name().await?;
    // Another first tenant has the direct address; this one is then at its own name, which browsers and curl resolve.
    let url = match first.as_deref() {
        Some(TENANT) => url.to_owned(),
        _ => format!("http://api.{DOMAIN}:{}", url.rsplit(':').next().unwrap_or_default()),
    };
    Ok(Ready {
        url,
        tenant: Some(TENANT.to_owned()),
        accounts: Some(accounts),
        tables: Some(tables::NAMES.map(str::to_owned).to_vec()),
    })
}

async fn create(installation: &Installation, accounts: &[Account]) -> Result<()> {
    let new = NewTenant {
        name: TENANT.to_owned(),
        domain: Some(DOMAIN.to_owned()),
        cors_origins: vec!["*".to_owned()],
        ..NewTenant::default()
    };
    let (identity, accounts) = (Arc::clone(&installation.features.identity), accounts.to_vec());
    let create = installation.tenants.create(new, |tenant, open| {
        Box::pin(async move {
            let filled = fill(&identity, tenant, open, &accounts).await;
            filled.map_err(|failure| match failure {
                crate::Failure::Refused(error) => error,
                other => Error::internal(other),
            })
        })
    });
    match create.await {
        // Another process was quicker.
        Err(error) if error.reason == Reason::NameTaken => Ok(()),
        created => Ok(created.map(drop)?),
    }
}

async fn fill(identity: &Identity, tenant: &Tenant, open: &OpenTenant, accounts: &[Account]) -> Result<()> {
    accounts::save_groups(identity, open).await?;
    let mut owners = Vec::new();
    for account in accounts {
        let user = NewUser {
            username: account.username.clone(),
            email: Some(format!("{}@school.example", account.username)),
            password: Some(Secret::new(account.password.as_str())),
            group: Some(account.group.clone()),
            ..NewUser::default()
        };
        owners.push(identity.create_user(open, user).await?.number);
    }
    // The tables are the tenant's own migration, as an operator would write it.
    let migrations = tenant.folder.join("migrations");
    let file = migrations.join(format!("0001_inventory.{}.sql", open.data.dialect().word()));
    write(&file, &tables::script(&open.data))?;
    write(&tenant.folder.join("rules.toml"), RULES)?;
    store::apply_scripts(&open.data, &migrations).await?;
    data::fill(&open.data, &owners).await
}

fn write(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).and_then(|()| fs::write(file, text)).map_err(crate::failure::io(file.display()))
}

/// The file with the passwords was lost: there are new ones.
async fn renew_passwords(identity: &Identity, open: &OpenTenant, accounts: &[Account]) -> Result<()> {
    for account in accounts {
        if let Some(user) = identity.find_user(open, &account.username).await? {
            identity.set_password(open, user.id, &Secret::new(account.password.as_str())).await?;
        }
    }
    Ok(())
}
