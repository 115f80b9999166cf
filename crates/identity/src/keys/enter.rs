//! What a request with a key goes through before it is let in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use kernel::{
    ApiKey, Authenticated, Credential, Door, Error, Group, KeyKind, Presented, Principal, Reason, Result, Tenant,
    TenantDirectory, ability, seal,
};
use store::OpenTenant;
use uuid::Uuid;

use super::{format, known::Known};
use crate::{
    Identity, UserStatus,
    tables::api_keys::{self, Found, Lookup},
    tokens::{self, hex},
};

/// What keys are hashed for.
const PURPOSE: &str = "api key";
/// A key of another back end is not shorter than this many characters, and not longer.
const FOREIGN_LENGTH: std::ops::RangeInclusive<usize> = 20..=512;

/// What recognises a key, as it is stored.
pub(crate) fn mac(open: &OpenTenant, text: &str) -> String {
    hex(&open.key.mac(PURPOSE, &[text.as_bytes()]))
}

impl Identity {
    /// Who a request with an API key acts as. None where it came with something else.
    ///
    /// Errors: 401 `key_invalid`, `key_expired`, `key_revoked`; 403 `tenant_mismatch`, `tenant_suspended`,
    /// `address_not_allowed`, `origin_not_allowed`; 429; 503.
    pub(crate) async fn enter_by_key(&self, presented: &Presented<'_>) -> Option<Result<Authenticated>> {
        if presented.token.starts_with(format::PREFIX) {
            return Some(self.enter_by_own_key(presented).await);
        }
        if presented.door != Door::Api || !may_be_foreign(presented.token) {
            return None;
        }
        self.enter_by_foreign_key(presented).await.transpose()
    }

    async fn enter_by_own_key(&self, presented: &Presented<'_>) -> Result<Authenticated> {
        let Presented { host, token, .. } = *presented;
        // A slip of the hand ends here, before anybody is asked.
        let parsed = format::parse(token).ok_or_else(invalid)?;
        if presented.door != Door::Api {
            return Err(invalid());
        }
        let tenant = if parsed.tenant == host.tenant.id {
            Arc::clone(&host.tenant)
        } else if host.explicit {
            return Err(Error::plain(Reason::TenantMismatch));
        } else {
            self.tenants.by_id(parsed.tenant).await?.ok_or_else(invalid)?
        };
        tenant.require_active()?;
        let known = self.known_key(&tenant, token, Some(parsed.id)).await?.ok_or_else(invalid)?;
        self.admit(presented, tenant, &known).await
    }

    /// A key that another back end made; it does not tell its tenant, so that the host does.
    async fn enter_by_foreign_key(&self, presented: &Presented<'_>) -> Result<Option<Authenticated>> {
        let tenant = &presented.host.tenant;
        tenant.require_active()?;
        if !self.has_imported_keys(tenant).await? {
            return Ok(None);
        }
        let Some(known) = self.known_key(tenant, presented.token, None).await? else { return Ok(None) };
        self.admit(presented, Arc::clone(tenant), &known).await.map(Some)
    }

    async fn has_imported_keys(&self, tenant: &Tenant) -> Result<bool> {
        if let Some(any) = self.keys.has_imported(tenant.id) {
            return Ok(any);
        }
        let open = self.tenants.open(tenant).await?;
        let any = api_keys::has_imported(&open.system, kernel::time::now()).await?;
        self.keys.keep_imported(tenant.id, any);
        Ok(any)
    }

    /// The key of a text, by its id or else by its keyed hash; many requests with one key at once read it once. None
    /// where there is no such key. Errors: 401 `key_revoked`; 503.
    async fn known_key(&self, tenant: &Arc<Tenant>, text: &str, id: Option<&str>) -> Result<Option<Arc<Known>>> {
        let hash = tokens::hash(text);
        if let Some(known) = self.keys.believed(tenant.id, &hash) {
            return Ok(Some(known));
        }
        let _pass = self.keys.reading.enter(hash).await;
        if let Some(known) = self.keys.believed(tenant.id, &hash) {
            return Ok(Some(known));
        }
        let (read, doubts) = (Instant::now(), self.keys.doubts());
        let open = self.tenants.open(tenant).await?;
        let found = self.find_key(&open, text, id).await.and_then(|found| found.map(usable).transpose());
        let Ok(Some(found)) = found else {
            self.keys.forget(&hash);
            return found.map(|_| None);
        };
        let known = Arc::new(self.assemble_key(&open, found, read).await?);
        self.keys.keep(hash, &known, doubts);
        Ok(Some(known))
    }

    async fn find_key(&self, open: &OpenTenant, text: &str, id: Option<&str>) -> Result<Option<Found>> {
        let mac = mac(open, text);
        let lookup = id.map_or(Lookup::Mac(&mac), Lookup::Id);
        let found = api_keys::find(&open.system, lookup).await?;
        let same = |found: &Found| seal::same(found.mac.as_bytes(), mac.as_bytes());
        // Where an imported key was looked up by its hash, a row that has an id of its own text is no answer.
        let imported = |found: &Found| found.key.imported_from.is_some();
        Ok(found.filter(|found| same(found) && imported(found) == id.is_none()))
    }

    /// The group that a key acts as: none where it is gone, or where it has become mightier than the key's maker.
    pub(crate) async fn acting_group(&self, open: &OpenTenant, found: &Found) -> Result<Option<Group>> {
        if found.key.kind == KeyKind::Personal {
            return Ok(Some(found.owner.group.clone()));
        }
        let Some(id) = found.acting else { return Ok(None) };
        let group = api_keys::group(&open.system, id).await?;
        Ok(group.filter(|group| group.power <= found.owner.group.power))
    }

    async fn assemble_key(&self, open: &OpenTenant, found: Found, read: Instant) -> Result<Known> {
        let group = self.acting_group(open, &found).await?.ok_or_else(too_mighty)?;
        let Found { key, owner, .. } = found;
        // What the maker has lost, the key has lost.
        let mut scopes = key.scopes.clone();
        scopes.retain(|scope| ability::by_name(scope).is_some_and(|ability| owner.group.has(ability)));
        let credential = Credential::Key(ApiKey { id: key.id.clone(), kind: key.kind, scopes });
        let group = self.sessions.same_group(open.tenant.id, group);
        let principal = if key.kind == KeyKind::Personal {
            let (id, number, username) = (key.owner, key.owner_number, key.owner_name.clone());
            Principal {
                id,
                number,
                username,
                email: owner.email,
                name: owner.name,
                group,
                toolkit_overrides: owner.toolkit_overrides,
                credential,
            }
        } else {
            let (username, name) = (key.name.clone(), key.name.clone());
            Principal {
                id: Uuid::nil(),
                number: 0,
                username,
                email: None,
                name,
                group,
                toolkit_overrides: Arc::default(),
                credential,
            }
        };
        Ok(Known {
            principal: Arc::new(principal),
            tenant: open.tenant.id,
            number: format::number(&key.id).unwrap_or_default(),
            read,
            noted: AtomicBool::new(false),
            key,
        })
    }

    /// What is looked at with every request.
    async fn admit(&self, presented: &Presented<'_>, tenant: Arc<Tenant>, known: &Known) -> Result<Authenticated> {
        let (key, now) = (&known.key, kernel::time::now());
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::plain(Reason::KeyExpired));
        }
        let client = presented.client.to_canonical();
        if !key.addresses.is_empty() && !key.addresses.iter().any(|network| network.contains(&client)) {
            let message = "The API key may not be used from this address";
            return Err(Error::new(Reason::AddressNotAllowed, message));
        }
        check_origin(known, presented.origin)?;
        if let Some(class) = &key.rate_class {
            // A class that the settings have no more limits nothing.
            if let Some(class) = self.settings.of(&tenant).await?.key_rate_classes.get(class) {
                self.keys.rates.check(*class, known.number)?;
            }
        }
        if !known.noted.swap(true, Ordering::AcqRel) {
            self.keys.uses.note(&tenant, &key.id, now);
        }
        Ok(Authenticated { tenant, principal: Arc::clone(&known.principal) })
    }
}

fn check_origin(known: &Known, origin: Option<&str>) -> Result<()> {
    let refused = |message: &str| Err(Error::new(Reason::OriginNotAllowed, message));
    let allowed = &known.key.origins;
    match (known.key.kind, origin) {
        (KeyKind::Server, Some(_)) => refused("A server key may not be used by web pages: it is a secret"),
        _ if allowed.is_empty() => Ok(()),
        (_, Some(origin)) if allowed.iter().any(|known| known.eq_ignore_ascii_case(origin)) => Ok(()),
        _ => refused("The API key may not be used by web pages of this origin"),
    }
}

/// A key that was found and may still be used, as far as it does not depend on the request.
fn usable(found: Found) -> Result<Found> {
    if found.key.rotation_due() {
        let message = "The key was made by another back end and may not be used here; make another";
        return Err(Error::new(Reason::KeyRevoked, message));
    }
    if found.key.revoked_at.is_some() {
        return Err(Error::plain(Reason::KeyRevoked));
    }
    if found.owner.status != UserStatus::Active {
        return Err(Error::new(Reason::KeyRevoked, "The API key's maker may not come in any more"));
    }
    Ok(found)
}

fn too_mighty() -> Error {
    Error::new(Reason::KeyRevoked, "The API key's group is gone, or mightier now than the key's maker")
}

fn invalid() -> Error {
    Error::plain(Reason::KeyInvalid)
}

/// Whether a text can be a key of another back end: not a session's token, and not so short that it was guessed.
pub(crate) fn may_be_foreign(text: &str) -> bool {
    FOREIGN_LENGTH.contains(&text.len())
        && !text.starts_with(format::PREFIX)
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && text.bytes().filter(|byte| *byte == b'.').count() != 2
}
