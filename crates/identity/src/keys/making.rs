//! How a key is made.

use std::{sync::Arc, time::Duration};

use kernel::{Error, Group, KeyKind, Reason, Result, Secret, time::Timestamp};
use store::OpenTenant;

use super::{
    Key, Lifetime, MadeKey, Maker, NewKey, bounds, enter, format,
    service::{MOST, audit, too_many, written_by},
};
use crate::{
    Identity, IdentityConfig, UserStatus,
    entry::Visitor,
    tables::{
        api_keys::{self, Fresh},
        groups, users,
    },
};

/// How long a key lives unless it is said otherwise.
pub(crate) const USUAL: Duration = Duration::from_hours(90 * 24);
/// How long it lives at the most, where keys have to end.
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// Whom a publishable key acts as.
const ANONYMOUS: &str = "anonymous";

impl Identity {
    /// Makes a key.
    pub(crate) async fn make_key(
        &self,
        open: &OpenTenant,
        maker: &Maker,
        new: NewKey,
        visitor: Option<&Visitor>,
    ) -> Result<MadeKey> {
        let (fresh, secret) = self.draft(open, maker, new).await?;
        let id = fresh.id.clone();
        let (ddl, owner) = (open.system.ddl(), maker.owner);
        let context = written_by(visitor, maker.user);
        let added = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh) = (ddl.clone(), fresh.clone());
            Box::pin(async move {
                let locked = users::lock(transaction, &ddl, owner).await?;
                if locked.is_none_or(|user| user.status != UserStatus::Active) {
                    return Err(Error::new(Reason::Conflict, "The key's owner may not come in any more").into());
                }
                if api_keys::count_live(transaction, &ddl, owner).await? >= MOST {
                    return Err(too_many().into());
                }
                api_keys::add(transaction, &ddl, fresh).await
            })
        });
        added.await?;
        let key = self.key(open, &id).await?;
        audit("key-create", open, &key, maker.user, visitor);
        Ok(MadeKey { secret, key })
    }

    /// A key to be stored, and its text.
    async fn draft(&self, open: &OpenTenant, maker: &Maker, new: NewKey) -> Result<(Fresh, Secret)> {
        let settings = self.settings.of(&open.tenant).await?;
        let by = maker.by.as_ref();
        bounds::check_name(&new.name)?;
        let acting = self.acting(open, maker, &new).await?;
        let scopes = bounds::checked_scopes(&new.scopes, new.kind, &maker.group, &acting, by)?;
        let now = kernel::time::now();
        let id = format::new_id(open.tenant.id);
        let secret = format::new_text(new.kind, &id);
        let fresh = Fresh {
            prefix: format::shown(new.kind, &id),
            last_four: format::last_four(secret.expose()),
            mac: enter::mac(open, secret.expose()),
            id,
            kind: new.kind,
            name: new.name,
            owner: maker.owner,
            group: (new.kind != KeyKind::Personal).then_some(acting.id),
            scopes,
            addresses: bounds::checked_addresses(new.addresses.as_deref(), by)?,
            origins: bounds::checked_origins(new.origins.as_deref(), new.kind, by)?,
            rate_class: bounds::checked_rate_class(new.rate_class.as_deref(), &settings, by)?,
            created_at: now,
            expires_at: end(new.lifetime, now, &settings, by)?,
            revoked_at: None,
            rotated_from: None,
            imported_from: None,
        };
        Ok((fresh, secret))
    }

    /// The group that a new key acts as.
    async fn acting(&self, open: &OpenTenant, maker: &Maker, new: &NewKey) -> Result<Arc<Group>> {
        let invalid = |field: &str, message: String| Error::new(Reason::FieldInvalid, message).at(field);
        if new.group.is_some() && new.kind != KeyKind::Server {
            return Err(invalid("group", "Only a server key acts as a group of its own".to_owned()));
        }
        let name = match new.kind {
            KeyKind::Personal if maker.by.as_ref().is_some_and(|key| key.kind != KeyKind::Personal) => {
                return Err(invalid("kind", "Only a user or a personal key can make a personal key".to_owned()));
            }
            KeyKind::Personal => return Ok(Arc::clone(&maker.group)),
            KeyKind::Server => match &new.group {
                Some(name) => name,
                None => return Ok(Arc::clone(&maker.group)),
            },
            KeyKind::Publishable => ANONYMOUS,
        };
        let missing = || invalid("group", format!("There is no group {name:?}"));
        let group = groups::find(&open.system, name).await?.ok_or_else(missing)?;
        if group.power > maker.group.power {
            let message = "A key's group can have no more power than its maker's";
            return Err(Error::new(Reason::PowerTooLow, message).at("group"));
        }
        Ok(Arc::new(group))
    }
}

/// When a key ends: as its maker wants it, within what the settings and the maker's own key allow.
pub(crate) fn end(
    lifetime: Lifetime,
    now: Timestamp,
    settings: &IdentityConfig,
    by: Option<&Key>,
) -> Result<Option<Timestamp>> {
    let refused = |message: &str| Err(Error::new(Reason::FieldInvalid, message).at("expires_in"));
    let outer = by.and_then(|key| key.expires_at);
    let wanted = match lifetime {
        Lifetime::Usual => return Ok(sooner(Some(after(now, USUAL)), outer)),
        Lifetime::For(span) if span.0 < Duration::from_secs(1) => return refused("A key lives for 1s or longer"),
        Lifetime::For(span) if span.0 > LONGEST && !settings.allow_unending_keys => {
            return refused("A key lives for 366d at the most; the tenant's settings allow no longer");
        }
        Lifetime::Unending if !settings.allow_unending_keys => {
            return refused("A key has to end: the tenant's settings do not allow unending keys");
        }
        Lifetime::For(span) => Some(after(now, span.0)),
        Lifetime::Unending => None,
    };
    if sooner(wanted, outer) == wanted { Ok(wanted) } else { refused("A key can make no key that outlives it") }
}

pub(crate) fn after(moment: Timestamp, span: Duration) -> Timestamp {
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// The earlier of two ends; none is never.
pub(crate) fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
