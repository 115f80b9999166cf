//! When keys were last used: noted in memory, written in batches, at most once a minute for a key.

use std::{collections::HashMap, sync::Arc};

use kernel::{Error, Reason, Result, Tenant, TenantId, time::Timestamp};
use parking_lot::Mutex;
use store::Tenants;
use tokio::time::timeout;

use crate::{
    sessions::WRITING,
    tables::api_keys::{self, Used},
};

/// Uses within so many seconds are one moment, so that a flush takes few statements.
const STEP: i64 = 5;

/// What the database does not know yet. No more than there are keys in use.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<TenantId, (Arc<Tenant>, Moments)>>);

/// When each key was last used.
type Moments = HashMap<String, Timestamp>;

impl Uses {
    /// Notes that a key was used.
    pub(crate) fn note(&self, tenant: &Arc<Tenant>, key: &str, at: Timestamp) {
        let mut all = self.0.lock();
        let (_, keys) = all.entry(tenant.id).or_insert_with(|| (Arc::clone(tenant), HashMap::new()));
        keys.insert(key.to_owned(), at);
    }

    /// Writes down what was noted. What cannot be written is tried again with the next flush.
    pub(crate) async fn flush(&self, tenants: &Tenants) {
        let all = std::mem::take(&mut *self.0.lock());
        for (tenant, keys) in all.into_values() {
            let written = timeout(WRITING, write(tenants, &tenant, &keys)).await;
            if let Err(error) = written.unwrap_or_else(|_elapsed| Err(Error::plain(Reason::Timeout))) {
                tracing::warn!(tenant = tenant.name, %error, "the use of API keys was not written");
                let mut noted = self.0.lock();
                let (_, later) = noted.entry(tenant.id).or_insert_with(|| (tenant, HashMap::new()));
                for (key, at) in keys {
                    later.entry(key).or_insert(at);
                }
            }
        }
    }
}

async fn write(tenants: &Tenants, tenant: &Tenant, keys: &Moments) -> Result<()> {
    let open = tenants.open(tenant).await?;
    Ok(api_keys::write_uses(&open.system, batches(keys)).await?)
}

fn batches(keys: &Moments) -> Vec<Used> {
    let mut steps: HashMap<i64, Vec<String>> = HashMap::new();
    for (key, at) in keys {
        let second = at.as_second();
        steps.entry(second - second.rem_euclid(STEP)).or_default().push(key.clone());
    }
    let used = |(second, keys)| Used { at: Timestamp::from_second(second).unwrap_or_default(), keys };
    steps.into_iter().map(used).collect()
}

#[cfg(test)]
mod tests {
    use super::batches;
    use kernel::time::Timestamp;

    #[test]
    fn uses_at_about_the_same_time_are_one_statement() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let keys = (0..1_000).map(|number| (number.to_string(), at(100 + number % 10))).collect();
        let mut shape: Vec<_> = batches(&keys).iter().map(|used| (used.at, used.keys.len())).collect();
        shape.sort();
        assert_eq!(shape, [(at(100), 500), (at(105), 500)]);
    }
}
