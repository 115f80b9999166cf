//! What can be done with keys, and who may.

use std::sync::Arc;

use kernel::{Credential, Error, Group, Principal, Reason, Result, Span, WriteContext, ability};
use store::OpenTenant;
use uuid::Uuid;

use super::{Key, MadeKey, NewKey, bounds};
use crate::{
    Identity, User,
    entry::Visitor,
    tables::api_keys::{self, Found, Lookup, Which, no_key},
};

/// Keys of one user that can be used.
pub(crate) const MOST: u64 = 100;
/// Keys that one page has at the most.
const PAGE: u64 = 1_000;
/// Whoever makes or changes a key: a key never has more rights than this.
pub(crate) struct Maker {
    /// Whose the keys are.
    pub(crate) owner: Uuid,
    /// The acting user's number, where there is one.
    pub(crate) user: Option<i64>,
    pub(crate) group: Arc<Group>,
    /// The key that the maker came with.
    pub(crate) by: Option<Key>,
}

impl Maker {
    fn of(user: &User) -> Self {
        Self { owner: user.id, user: None, group: Arc::new(user.group.clone()), by: None }
    }
}

impl Identity {
    /// Makes a key that belongs to a user and has no more rights.
    ///
    /// Errors: 400 `field_invalid`; 403 `ability_missing`, `power_too_low`; 409 `conflict` where the user has too many.
    pub async fn create_key(&self, open: &OpenTenant, owner: &User, new: NewKey) -> Result<MadeKey> {
        self.make_key(open, &Maker::of(owner), new, None).await
    }

    /// Keys of a user or of all, the newest first: at most `limit` (and 1,000), but for the first `offset`.
    pub async fn keys(&self, open: &OpenTenant, owner: Option<Uuid>, limit: u64, offset: u64) -> Result<Vec<Key>> {
        Ok(api_keys::list_of(&open.system, owner, limit.min(PAGE), offset).await?)
    }

    /// A key by its id. Errors: 404.
    pub async fn key(&self, open: &OpenTenant, id: &str) -> Result<Key> {
        Ok(self.found_key(open, id).await?.key)
    }

    /// Puts another key in the place of one, which lives on for an overlap of at most 30 days.
    ///
    /// Errors: 400 `field_invalid`; 404; 409 `conflict` where it was revoked or replaced already.
    pub async fn rotate_key(&self, open: &OpenTenant, id: &str, overlap: Span) -> Result<MadeKey> {
        let found = self.found_key(open, id).await?;
        self.replace_key(open, None, found, overlap, None).await
    }

    /// Revokes a key at once; other processes notice within five seconds. Errors: 404.
    pub async fn revoke_key(&self, open: &OpenTenant, id: &str) -> Result<()> {
        self.end_key(open, id, None, None).await
    }

    /// Revokes all keys of a user and tells how many there were.
    pub async fn revoke_keys_of(&self, open: &OpenTenant, user: Uuid) -> Result<u64> {
        let ddl = open.system.ddl();
        let context = WriteContext::system();
        let revoked = open.system.transaction(&context, move |transaction| {
            let ddl = ddl.clone();
            Box::pin(async move { api_keys::revoke(transaction, &ddl, Which::OfUser(user)).await })
        });
        let revoked = revoked.await?;
        self.keys.doubt_of(user);
        Ok(revoked)
    }

    pub(crate) async fn found_key(&self, open: &OpenTenant, id: &str) -> Result<Found> {
        api_keys::find(&open.system, Lookup::Id(id)).await?.ok_or_else(no_key)
    }

    /// Who a principal is as a maker of keys. A server key stands for the user who made it.
    pub(crate) async fn maker(&self, open: &OpenTenant, principal: &Principal) -> Result<Maker> {
        let by = match &principal.credential {
            Credential::Session(_) | Credential::Webhook(_) => None,
            Credential::Key(key) => {
                let found = self.found_key(open, &key.id).await?;
                // What the key has, but no more than it may use.
                Some(Key { scopes: key.scopes.clone(), ..found.key })
            }
        };
        let owner = by.as_ref().map_or(principal.id, |key| key.owner);
        Ok(Maker { owner, user: principal.user(), group: Arc::clone(&principal.group), by })
    }

    /// A key of the maker's, within what the key may do that the maker came with. Errors: 404; 403 `scope_missing`.
    pub(crate) async fn own_key(&self, open: &OpenTenant, maker: &Maker, id: &str) -> Result<Found> {
        let found = self.found_key(open, id).await?;
        if found.key.owner != maker.owner {
            return Err(no_key());
        }
        if let Some(by) = &maker.by {
            let power = self.acting_group(open, &found).await?.map_or(u8::MAX, |group| group.power);
            if !bounds::is_within(&found.key, power, by, maker.group.power) {
                let message = "A key can change, rotate and revoke no key that may do more than itself";
                return Err(Error::new(Reason::ScopeMissing, message));
            }
        }
        Ok(found)
    }

    /// Revokes a key. One that is revoked already stays as it is. Errors: 404.
    pub(crate) async fn end_key(
        &self,
        open: &OpenTenant,
        id: &str,
        user: Option<i64>,
        visitor: Option<&Visitor>,
    ) -> Result<()> {
        let key = self.key(open, id).await?;
        let (ddl, which) = (open.system.ddl(), Which::One(key.id.clone()));
        let context = written_by(visitor, user);
        let revoked = open.system.transaction(&context, move |transaction| {
            let (ddl, which) = (ddl.clone(), which.clone());
            Box::pin(async move { api_keys::revoke(transaction, &ddl, which).await })
        });
        revoked.await?;
        self.keys.doubt(|known, _| known.id == key.id);
        audit("key-revoke", open, &key, user, visitor);
        Ok(())
    }

    /// Whether a principal may see and revoke a key that is not theirs. Errors: 403 `power_too_low`.
    pub(crate) fn may_administer(principal: &Principal, found: &Found) -> Result<bool> {
        if principal.require(ability::KEYS_ADMIN).is_err() {
            return Ok(false);
        }
        if found.owner.group.power > principal.group.power {
            let message = "The keys of users of higher power than one's own may not be touched";
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        Ok(true)
    }
}

pub(crate) fn over() -> Error {
    Error::new(Reason::Conflict, "The key was revoked or has expired; make another")
}

pub(crate) fn too_many() -> Error {
    Error::new(Reason::Conflict, format!("A user has at most {MOST} keys that can be used; revoke one first"))
}

pub(crate) fn written_by(visitor: Option<&Visitor>, user: Option<i64>) -> WriteContext {
    visitor.map_or_else(WriteContext::system, |visitor| visitor.context(user))
}

pub(crate) fn audit(action: &str, open: &OpenTenant, key: &Key, user: Option<i64>, visitor: Option<&Visitor>) {
    let status = match action {
        "key-create" | "key-rotate" => 201,
        "key-revoke" => 204,
        _ => 200,
    };
    let (client, request_id) = (visitor.map(|it| it.client.to_string()), visitor.map(|it| it.request.to_string()));
    tracing::info!(
        target: "audit", action, outcome = "ok", status, tenant = open.tenant.name, user, of = key.owner_number, key = key.id,
        name = key.name, kind = key.kind.word(), client, request_id,
    );
}
