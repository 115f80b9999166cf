//! How another key takes the place of one.

use std::time::Duration;

use kernel::{Error, KeyKind, Reason, Result, Span};
use store::{OpenTenant, Value};

use super::{
    Key, KeyState, MadeKey, Maker, enter, format,
    making::{USUAL, after, sooner},
    service::{MOST, audit, over, too_many, written_by},
};
use crate::{
    Identity,
    entry::Visitor,
    tables::{
        api_keys::{self, Found, Fresh},
        users,
    },
};

/// How long a key may live on beside the one that took its place.
const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);
/// Keys of one user that can be used, with those that live on beside the ones that took their places.
const MOST_ROTATING: u64 = 2 * MOST;

impl Identity {
    /// Puts another key in the place of one. Of two at the same time one is refused.
    pub(crate) async fn replace_key(
        &self,
        open: &OpenTenant,
        maker: Option<&Maker>,
        found: Found,
        overlap: Span,
        visitor: Option<&Visitor>,
    ) -> Result<MadeKey> {
        if overlap.0 > LONGEST_OVERLAP {
            let message = "Two keys live side by side for at most 30d";
            return Err(Error::new(Reason::FieldInvalid, message).at("overlap"));
        }
        let Found { key: old, acting, .. } = found;
        if old.kind != KeyKind::Personal && acting.is_none() {
            return Err(Error::new(Reason::Conflict, "The group that the key acted as is gone; make another key"));
        }
        let now = kernel::time::now();
        let due = old.state(now) == KeyState::RotationDue;
        let (id, lifetime) = (format::new_id(open.tenant.id), lifetime_of(&old));
        let secret = format::new_text(old.kind, &id);
        let by = maker.and_then(|maker| maker.by.as_ref());
        let fresh = Fresh {
            prefix: format::shown(old.kind, &id),
            last_four: format::last_four(secret.expose()),
            mac: enter::mac(open, secret.expose()),
            id: id.clone(),
            kind: old.kind,
            name: old.name,
            owner: old.owner,
            group: acting,
            scopes: old.scopes,
            addresses: old.addresses,
            origins: old.origins,
            rate_class: old.rate_class,
            created_at: now,
            expires_at: sooner(lifetime.map(|lifetime| after(now, lifetime)), by.and_then(|key| key.expires_at)),
            revoked_at: None,
            rotated_from: Some(old.id.clone()),
            imported_from: None,
        };
        let user = maker.and_then(|maker| maker.user);
        let (ddl, owner, replaced) = (open.system.ddl(), old.owner, old.id.clone());
        let context = written_by(visitor, user);
        let rotated = open.system.transaction(&context, move |transaction| {
            let (ddl, fresh, old) = (ddl.clone(), fresh.clone(), replaced.clone());
            Box::pin(async move {
                users::lock(transaction, &ddl, owner).await?;
                let locked = api_keys::lock(transaction, &ddl, &old).await?;
                if locked.rotated {
                    return Err(Error::new(Reason::Conflict, "Another key took the place of this one already").into());
                }
                if locked.revoked && !due {
                    return Err(over().into());
                }
                if api_keys::count_live(transaction, &ddl, owner).await? >= MOST_ROTATING {
                    return Err(too_many().into());
                }
                let ends = sooner(locked.end, Some(after(now, overlap.0)));
                let values = vec![("rotated_at", Value::from(now)), ("expires_at", Value::from(ends))];
                api_keys::change(transaction, &ddl, &old, values).await?;
                api_keys::add(transaction, &ddl, fresh).await
            })
        });
        rotated.await?;
        self.keys.doubt(|key, _| key.id == old.id);
        let key = self.key(open, &id).await?;
        audit("key-rotate", open, &key, user, visitor);
        Ok(MadeKey { secret, key })
    }
}

/// How long a key was meant to live; keys of other back ends were not made for good.
fn lifetime_of(key: &Key) -> Option<Duration> {
    if key.imported_from.is_some() || key.rotated_at.is_some() {
        return Some(USUAL);
    }
    let end = key.expires_at?;
    end.duration_since(key.created_at).try_into().ok()
}
