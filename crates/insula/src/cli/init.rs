//! `insula init`.

use std::sync::Arc;

use clap::Args;
use identity::NewUser;
use serde_json::json;
use store::NewTenant;

use super::{Done, Output};
use crate::{
    Installation,
    failure::{Failure, Result},
    password::PasswordSource,
    setup_token,
};

/// Make the first tenant and its administrator.
///
/// Without a password one is made and printed, once.
#[derive(Args)]
#[command(after_help = "Example:\n  insula init --domain example.com --admin ada --email ada@example.com")]
pub(super) struct Init {
    /// The tenant's domain; its API is then at api.<domain>, and at this machine's address
    #[arg(long)]
    domain: String,
    /// The tenant's name [default: made from the domain]
    #[arg(long)]
    name: Option<String>,
    /// The administrator's name to log in with
    #[arg(long, value_name = "USER", default_value = "admin")]
    admin: String,
    /// The administrator's e-mail address
    #[arg(long)]
    email: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

impl Init {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let password = self.password.get()?;
        let name = match self.name {
            Some(name) => name,
            None => name_of(&self.domain)?,
        };
        let new = NewTenant { name, domain: Some(self.domain), first: true, ..NewTenant::default() };
        let admin = NewUser {
            username: self.admin,
            email: self.email,
            password: Some(password.secret.clone()),
            group: Some("administrators".to_owned()),
            ..NewUser::default()
        };
        let identity = Arc::clone(&installation.features.identity);
        let username = admin.username.clone();
        let tenant = installation
            .tenants
            .create(new, |_, open| Box::pin(async move { identity.create_user(open, admin).await.map(drop) }))
            .await?;
        Done { action: "init", tenant: Some(&tenant.name), of: tenant.domain.as_deref(), ..Done::default() }
            .audit(&Ok(()));
        setup_token::remove(&installation.config);
        let mut value = json!({ "tenant": tenant.name, "domain": tenant.domain, "username": username });
        if let Some(made) = password.to_show() {
            value["password"] = made.into();
        }
        output.print(&value, || {
            let domain = tenant.domain.as_deref().unwrap_or_default();
            let made = password.to_show().map(|made| format!("\nPassword of {username}: {made} (shown once)"));
            format!(
                "Tenant {} is at api.{domain}. Its administrator is {username}.{}\nNext: insula serve",
                tenant.name,
                made.unwrap_or_default()
            )
        });
        Ok(())
    }
}

/// `example.com` makes `example-com`.
fn name_of(domain: &str) -> Result<String> {
    let name = domain.trim_end_matches('.').to_ascii_lowercase().replace('.', "-");
    if kernel::identifier::is_tenant_name(&name) {
        return Ok(name);
    }
    Err(Failure::Usage(format!("no tenant can be called after {domain:?}; give it a name: --name shop")))
}
