//! Changes of the table that pass this process, in force here at once.

use std::net::IpAddr;

use kernel::{
    Error, Overrides, Reason, Result, Tenant, WriteContext,
    settings::{self, Setting},
};
use serde_json::Value as Json;

use crate::{Settings, table};

const MOST_BYTES: usize = 64 << 10;
const MOST_DESCRIPTION: usize = 500;

/// Who changes a setting.
#[derive(Debug, Clone)]
pub struct Author {
    /// Who writes and why.
    pub context: WriteContext,
    /// The client's address; none on the command line.
    pub client: Option<IpAddr>,
}

impl Settings {
    /// Keeps a value for a setting. A description stays where none is given; an empty one goes.
    ///
    /// Errors: 400 `field_invalid` at `value`, `description` or `setting`; 404; 409 `conflict`; 503.
    pub async fn set(
        &self,
        author: &Author,
        tenant: &Tenant,
        name: &str,
        value: Json,
        description: Option<String>,
    ) -> Result<()> {
        let outcome = self.try_set(author, tenant, name, value, description).await;
        author.audit(tenant, "setting-change", name, &outcome);
        outcome
    }

    /// Forgets what the table says of a setting. Errors: 404; 503.
    pub async fn unset(&self, author: &Author, tenant: &Tenant, name: &str) -> Result<()> {
        let outcome = self.try_unset(author, tenant, name).await;
        author.audit(tenant, "setting-remove", name, &outcome);
        outcome
    }

    async fn try_set(
        &self,
        author: &Author,
        tenant: &Tenant,
        name: &str,
        value: Json,
        description: Option<String>,
    ) -> Result<()> {
        let setting = known(name)?;
        if setting.is_of_the_server() && !self.is_first(tenant).await? {
            let message = "Limits on the rate are the server's: they are kept in the first tenant alone";
            return Err(Error::new(Reason::FieldInvalid, message).at("setting"));
        }
        let value = as_text(setting, value)?;
        let description = description.map(|text| text.trim().to_owned());
        let text = description.as_deref().unwrap_or_default();
        if text.chars().count() > MOST_DESCRIPTION || text.contains('\0') {
            let message = format!("A description has at most {MOST_DESCRIPTION} characters");
            return Err(Error::new(Reason::FieldInvalid, message).at("description"));
        }
        let description = description.map(|text| Some(text).filter(|text| !text.is_empty()));
        let open = self.tenants.open(tenant).await?;
        table::save(&open.system, &author.context, setting.name, value, description).await?;
        self.forget(tenant);
        Ok(())
    }

    async fn try_unset(&self, author: &Author, tenant: &Tenant, name: &str) -> Result<()> {
        let setting = known(name)?;
        let open = self.tenants.open(tenant).await?;
        if !table::remove(&open.system, &author.context, setting.name).await? {
            return Err(Error::new(Reason::NotFound, format!("The table says nothing of {}", setting.name)));
        }
        self.forget(tenant);
        Ok(())
    }
}

/// A value as the table has it, once it is found to be good. Errors: 400 `field_invalid`.
fn as_text(setting: Setting, value: Json) -> Result<String> {
    let invalid =
        |mistake: String| Error::new(Reason::FieldInvalid, format!("{}: {mistake}", setting.name)).at("value");
    let mut checked = Overrides::default();
    checked.set(setting.name, value).map_err(invalid)?;
    let text = match checked.get(setting.name) {
        Some(Json::String(text)) => text,
        value => value.unwrap_or_default().to_string(),
    };
    if text.len() > MOST_BYTES { Err(invalid("the value is longer than 64KB".to_owned())) } else { Ok(text) }
}

fn known(name: &str) -> Result<Setting> {
    let missing = || Error::new(Reason::NotFound, "There is no setting of this name that a tenant may keep");
    settings::by_name(name).ok_or_else(missing)
}

impl Author {
    /// Writes down what was done or refused; never a value.
    fn audit(&self, tenant: &Tenant, action: &'static str, name: &str, outcome: &Result<()>) {
        let of = settings::by_name(name).map_or("", |setting| setting.name);
        tracing::info!(
            target: "audit", action, outcome = kernel::error::outcome_word(outcome),
            tenant = tenant.name, user = self.context.user, of, client = self.client.map(tracing::field::display),
            request_id = self.context.request.map(tracing::field::display),
        );
    }
}
