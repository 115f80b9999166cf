//! The tenants of the installation, in the hands of the first tenant's administrators.

use std::sync::Arc;

use kernel::{Error, Principal, Reason, Result, Secret, Tenant, TenantDirectory, TenantStatus, ability};
use store::{
    NewTenant, TenantFilter, TenantRecord, TenantSort,
    paging::{Found, Page},
};

use super::Actor;
use crate::{Field, Identity, NewUser, bootstrap::ADMINISTRATORS, generated_password};

const MAX_ORIGINS: usize = 100;
const MAX_ORIGIN: usize = 200;

/// What changes of a tenant. What is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantChange {
    pub(crate) status: Option<TenantStatus>,
    /// The domain, or none from now on.
    pub(crate) domain: Field<String>,
    pub(crate) cors_origins: Option<Vec<String>>,
}

/// A tenant that was made.
pub(crate) struct Made {
    pub(crate) tenant: Arc<TenantRecord>,
    /// The administrator's password, where it was made too.
    pub(crate) password: Option<Secret>,
}

impl Identity {
    /// Refuses whoever is no administrator of the first tenant, whatever they ask for.
    ///
    /// Errors: 403 `ability_missing`, `scope_missing`.
    pub async fn require_first_tenant(&self, tenant: &Tenant, caller: &Principal) -> Result<()> {
        caller.require(ability::TENANTS_MANAGE)?;
        match self.tenants.first().await? {
            Some(first) if first.id == tenant.id => Ok(()),
            _ => Err(Error::new(Reason::AbilityMissing, "This needs the ability tenants.manage in the first tenant")),
        }
    }

    /// One page of the tenants.
    pub(crate) async fn tenant_page(
        &self,
        filter: &TenantFilter,
        page: &Page<TenantSort>,
    ) -> Result<Found<Arc<TenantRecord>>> {
        self.tenants.page(filter, page).await
    }

    /// Makes a tenant, with its administrator where one is given, whole or not at all.
    ///
    /// Errors: 400 `field_invalid`; 409 `name_taken`, `conflict` where the database is another tenant's; otherwise as
    /// [`Identity::add_user`].
    pub(crate) async fn add_tenant(
        self: &Arc<Self>,
        caller: &Tenant,
        actor: &Actor,
        new: NewTenant,
        administrator: Option<NewUser>,
    ) -> Result<Made> {
        let name = new.name.clone();
        let outcome = self.try_add_tenant(new, administrator).await;
        let named = kernel::identifier::is_tenant_name(&name);
        actor.audit(caller, "tenant-create", if named { &name } else { "" }, &[], &outcome);
        outcome
    }

    async fn try_add_tenant(self: &Arc<Self>, new: NewTenant, administrator: Option<NewUser>) -> Result<Made> {
        check_origins(&new.cors_origins)?;
        for (field, url) in [("database", &new.database), ("system_database", &new.system_database)] {
            // A path on the server is the operator's to name: any file of the installation is one.
            if url.as_deref().is_some_and(|url| url.trim_start().to_ascii_lowercase().starts_with("sqlite")) {
                let message = "A file is adopted on the command line: insula tenant create … --database sqlite://…";
                return Err(Error::new(Reason::FieldInvalid, message).at(field));
            }
        }
        let unknown = administrator.as_ref().is_some_and(|user| user.password.is_none());
        let password = unknown.then(generated_password);
        let administrator = administrator.map(|user| NewUser {
            group: Some(ADMINISTRATORS.to_owned()),
            password: user.password.or_else(|| password.clone()),
            ..user
        });
        let identity = Arc::clone(self);
        let created = self.tenants.create(new, move |_, open| {
            Box::pin(async move {
                if let Some(user) = administrator {
                    let at = |error: Error| {
                        let field = error.field.clone().map_or("admin".to_owned(), |field| format!("admin.{field}"));
                        Error { field: Some(field), ..error }
                    };
                    identity.create_user(open, user).await.map_err(at)?;
                }
                Ok(())
            })
        });
        let tenant = created.await?;
        Ok(Made { tenant: self.tenants.by_name(&tenant.name).await?, password })
    }

    /// Changes a tenant. `caller` is the first; see [`Identity::require_first_tenant`].
    ///
    /// Errors: 400 `field_invalid`; 404; 409 `name_taken`, and `conflict` for suspending the first tenant.
    pub(crate) async fn change_tenant(
        &self,
        caller: &Tenant,
        actor: &Actor,
        name: &str,
        change: TenantChange,
    ) -> Result<Arc<TenantRecord>> {
        let known = self.tenants.by_name(name).await?;
        let fields = change.fields();
        let outcome = self.try_change_tenant(caller, &known.tenant, change).await;
        actor.audit(caller, "tenant-change", name, &fields, &outcome);
        outcome?;
        self.tenants.by_name(name).await
    }

    async fn try_change_tenant(&self, first: &Tenant, tenant: &Tenant, change: TenantChange) -> Result<()> {
        if change.status == Some(TenantStatus::Suspended) && tenant.id == first.id {
            return Err(Error::new(Reason::Conflict, "The first tenant cannot be suspended").at("status"));
        }
        change.cors_origins.as_deref().map(check_origins).transpose()?;
        // First what may be refused.
        if change.domain.is_sent() {
            self.tenants.set_domain(tenant, change.domain.value().map(String::as_str)).await?;
        }
        if let Some(origins) = &change.cors_origins {
            self.tenants.set_cors_origins(tenant, origins).await?;
        }
        if let Some(status) = change.status {
            self.tenants.set_status(tenant, status).await?;
        }
        Ok(())
    }

    /// Removes a tenant for ever. `caller` is the first, `confirmed` the name once more.
    ///
    /// Errors: 400 `field_missing`, `field_invalid` where it is not confirmed; 404; 409 `conflict` for the first tenant.
    pub(crate) async fn remove_tenant(
        &self,
        caller: &Tenant,
        actor: &Actor,
        name: &str,
        confirmed: Option<&str>,
    ) -> Result<()> {
        let known = self.tenants.by_name(name).await?;
        if known.tenant.id == caller.id {
            return Err(Error::new(Reason::Conflict, "The first tenant cannot be deleted"));
        }
        match confirmed {
            Some(confirmed) if confirmed == name => {}
            Some(_) => return Err(Error::new(Reason::FieldInvalid, "This is not the tenant's name").at("confirm")),
            None => {
                let message = "Deleting a tenant is for ever; send its name once more as confirm";
                return Err(Error::new(Reason::FieldMissing, message).at("confirm"));
            }
        }
        let outcome = self.tenants.delete(&known, &actor.context).await;
        actor.audit(caller, "tenant-delete", name, &[], &outcome);
        outcome
    }
}

impl TenantChange {
    fn fields(&self) -> Vec<&'static str> {
        let all = [
            ("status", self.status.is_some()),
            ("domain", self.domain.is_sent()),
            ("cors_origins", self.cors_origins.is_some()),
        ];
        all.into_iter().filter_map(|(name, changes)| changes.then_some(name)).collect()
    }
}

/// Origins as browsers send them, or `*`. Errors: 400 `field_invalid`.
fn check_origins(origins: &[String]) -> Result<()> {
    let invalid = |field: String, message: &str| Err(Error::new(Reason::FieldInvalid, message).at(field));
    if origins.len() > MAX_ORIGINS {
        return invalid("cors_origins".to_owned(), "At most 100 origins are kept");
    }
    for (index, origin) in origins.iter().enumerate() {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let fit = |host: &str| {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && b != b'/')
        };
        if origin != "*" && (origin.len() > MAX_ORIGIN || !host.is_some_and(fit)) {
            let message = "An origin is scheme, host and port, in lower case: https://app.example.com";
            return invalid(format!("cors_origins[{index}]"), message);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_origins;

    #[test]
    fn origins() {
        let check = |origin: &str| check_origins(&[origin.to_owned()]).is_ok();
        for good in ["*", "https://app.example.com", "http://localhost:5173", "http://[::1]:8080"] {
            assert!(check(good), "{good}");
        }
        for bad in ["", "app.example.com", "https://", "https://a/", "https://A.com", "ftp://a", "https://a b", "null"]
        {
            assert!(!check(bad), "{bad}");
        }
    }
}
