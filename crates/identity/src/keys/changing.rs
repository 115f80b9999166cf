//! How a key is changed.

use kernel::{Error, Reason, Result};
use store::{OpenTenant, Value};

use super::{
    Key, KeyChange, Maker, bounds,
    making::end,
    service::{audit, over, written_by},
};
use crate::{
    Identity,
    entry::Visitor,
    tables::api_keys::{self, Found},
};

impl Identity {
    /// Changes a key of the maker's.
    pub(crate) async fn change_key(
        &self,
        open: &OpenTenant,
        maker: &Maker,
        id: &str,
        change: KeyChange,
        visitor: Option<&Visitor>,
    ) -> Result<Key> {
        let found = self.own_key(open, maker, id).await?;
        let values = self.changes(open, maker, &found, change).await?;
        let (ddl, changed) = (open.system.ddl(), id.to_owned());
        let context = written_by(visitor, maker.user);
        let written = open.system.transaction(&context, move |transaction| {
            let (ddl, id, values) = (ddl.clone(), changed.clone(), values.clone());
            Box::pin(async move {
                let locked = api_keys::lock(transaction, &ddl, &id).await?;
                if locked.revoked || locked.end.is_some_and(|end| end <= kernel::time::now()) {
                    return Err(over().into());
                }
                api_keys::change(transaction, &ddl, &id, values).await
            })
        });
        written.await?;
        self.keys.doubt(|key, _| key.id == id);
        let key = self.key(open, id).await?;
        audit("key-change", open, &key, maker.user, visitor);
        Ok(key)
    }

    async fn changes(
        &self,
        open: &OpenTenant,
        maker: &Maker,
        found: &Found,
        change: KeyChange,
    ) -> Result<api_keys::Values> {
        let settings = self.settings.of(&open.tenant).await?;
        let (key, by) = (&found.key, maker.by.as_ref());
        let mut values = Vec::new();
        if let Some(name) = change.name {
            bounds::check_name(&name)?;
            values.push(("name", Value::from(name)));
        }
        if let Some(scopes) = change.scopes {
            let acting = self.acting_group(open, found).await?.ok_or_else(over)?;
            let scopes = bounds::checked_scopes(&scopes, key.kind, &maker.group, &acting, by)?;
            values.push(("scopes", api_keys::list_value(&scopes)?));
        }
        if let Some(addresses) = change.addresses {
            let addresses = bounds::checked_addresses(Some(&addresses), by)?;
            values.push(("addresses", api_keys::list_value(&addresses)?));
        }
        if let Some(origins) = change.origins {
            let origins = bounds::checked_origins(Some(&origins), key.kind, by)?;
            values.push(("origins", api_keys::list_value(&origins)?));
        }
        if let Some(class) = change.rate_class {
            let class = bounds::checked_rate_class(class.as_deref(), &settings, by)?;
            values.push(("rate_class", Value::from(class)));
        }
        if let Some(lifetime) = change.lifetime {
            let longer = key.imported_from.is_some() || key.rotated_at.is_some();
            let end = end(lifetime, kernel::time::now(), &settings, by)?;
            if longer && end.is_none_or(|end| key.expires_at.is_some_and(|known| end > known)) {
                let message = "A key that is being replaced can only end sooner";
                return Err(Error::new(Reason::FieldInvalid, message).at("expires_in"));
            }
            values.push(("expires_at", Value::from(end)));
        }
        Ok(values)
    }
}
