//! What client programs keep for their users: a layer for all of them and one for each.

mod layers;

use kernel::{Error, Principal, Reason, Result, Tenant, ability};
use serde_json::{Map, Value as Json};
use store::OpenTenant;

pub(crate) use self::layers::Document;
use self::layers::{check_client, check_data};
use crate::{Identity, entry::Visitor, tables::preferences, users::no_user};

/// Bytes of JSON that all layers of a user may have.
const MAX_BYTES: usize = 64 << 10;

/// Whose preferences are meant, and those of which client.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The client's name.
    pub(crate) client: String,
    /// The user's number; the caller where absent.
    pub(crate) user: Option<i64>,
}

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The layer of all clients below that of the one.
    Normal,
    Client,
    Global,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Client,
    Global,
}

/// What is done to preferences.
#[derive(Debug, Clone)]
enum Change {
    Merge(Layer, Map<String, Json>),
    Forget(Layer),
    ForgetAll,
}

/// What a group lets its users do with preferences, and with whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    ReadOwn,
    WriteOwn,
    WriteAll,
}

impl Access {
    /// What cannot be read allows the least.
    fn of(principal: &Principal) -> Self {
        match &*principal.group.user_settings_access {
            "read-write-all" => Self::WriteAll,
            "read-write-own" => Self::WriteOwn,
            _ => Self::ReadOwn,
        }
    }
}

impl Identity {
    /// A user's preferences; tells the user's number too.
    ///
    /// Errors: 400 `field_invalid`; 403 `ability_missing`, `scope_missing`, `session_required`; 404.
    pub(crate) async fn preferences(
        &self,
        tenant: &Tenant,
        caller: &Principal,
        target: &Target,
        view: View,
    ) -> Result<(i64, Map<String, Json>)> {
        caller.require(ability::ACCOUNT_READ)?;
        check_client(&target.client)?;
        let user = reachable(caller, target, Access::ReadOwn)?;
        let open = self.tenants.open(tenant).await?;
        let document = preferences::find(&open.system, user).await?.ok_or_else(no_user)?;
        let document = Document::parse(document.as_deref());
        Ok((user, document.view(view, &target.client)))
    }

    /// Merges data into a layer of a user's preferences; tells the user's number and the layer as it is then.
    ///
    /// Errors: as [`Self::preferences`], and 400 `field_invalid` where the data is too deep, too large or names what it
    /// must not.
    pub(crate) async fn set_preferences(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        target: &Target,
        (layer, data): (Layer, Map<String, Json>),
    ) -> Result<(i64, Map<String, Json>)> {
        check_client(&target.client)?;
        check_data(&data)?;
        let change = Change::Merge(layer, data);
        let outcome = self.change_preferences(tenant, visitor, caller, target, change).await;
        audit("preferences-set", tenant, visitor, caller, target, &outcome);
        let (user, document) = outcome?;
        let view = if layer == Layer::Global { View::Global } else { View::Client };
        Ok((user, document.view(view, &target.client)))
    }

    /// Forgets a layer of a user's preferences, or all of them where none is named; tells the user's number.
    ///
    /// Errors: as [`Self::preferences`].
    pub(crate) async fn reset_preferences(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        target: &Target,
        layer: Option<Layer>,
    ) -> Result<i64> {
        check_client(&target.client)?;
        let change = layer.map_or(Change::ForgetAll, Change::Forget);
        let outcome = self.change_preferences(tenant, visitor, caller, target, change).await;
        audit("preferences-reset", tenant, visitor, caller, target, &outcome);
        outcome.map(|(user, _)| user)
    }

    async fn change_preferences(
        &self,
        tenant: &Tenant,
        visitor: &Visitor,
        caller: &Principal,
        target: &Target,
        change: Change,
    ) -> Result<(i64, Document)> {
        caller.require(ability::ACCOUNT_WRITE)?;
        let user = reachable(caller, target, Access::WriteOwn)?;
        let open = self.tenants.open(tenant).await?;
        let document = apply(&open, visitor, caller, user, target.client.clone(), change).await?;
        Ok((user, document))
    }
}

/// Changes a user's preferences with the user's row locked, so that changes at the same time follow each other.
async fn apply(
    open: &OpenTenant,
    visitor: &Visitor,
    caller: &Principal,
    user: i64,
    client: String,
    change: Change,
) -> Result<Document> {
    let ddl = open.system.ddl();
    let context = visitor.context(caller.user());
    let changed = open.system.transaction(&context, move |transaction| {
        let (ddl, client, change) = (ddl.clone(), client.clone(), change.clone());
        Box::pin(async move {
            let known = preferences::lock(transaction, &ddl, user).await?.ok_or_else(no_user)?;
            let mut document = Document::parse(known.as_deref());
            match change {
                Change::Merge(layer, data) => document.merge(layer, &client, data),
                Change::Forget(layer) => document.forget(layer, &client),
                Change::ForgetAll => document = Document::default(),
            }
            let text = document.to_text();
            // What is there already may be larger, and may be made smaller.
            let grows = text.as_ref().map_or(0, String::len) > known.as_ref().map_or(0, String::len);
            if grows && text.as_ref().is_some_and(|text| text.len() > MAX_BYTES) {
                let message = format!("The preferences of a user have at most {MAX_BYTES} bytes of JSON");
                return Err(Error::new(Reason::FieldInvalid, message).at("data").into());
            }
            preferences::store(transaction, &ddl, user, text).await?;
            Ok(document)
        })
    });
    Ok(changed.await?)
}

/// The number of the user who is meant, if the caller's group lets it go so far. Whether somebody else exists is told to
/// those alone who may write everybody's preferences.
fn reachable(caller: &Principal, target: &Target, needed: Access) -> Result<i64> {
    let access = Access::of(caller);
    let own = target.user.is_none() || target.user == caller.user();
    let needed = if own { needed } else { Access::WriteAll };
    if access < needed {
        let message = if own {
            "Your group may read its preferences, not write them"
        } else {
            "The preferences of others take a group with user_settings_access = read-write-all"
        };
        return Err(Error::new(Reason::AbilityMissing, message));
    }
    let nobody = || Error::new(Reason::SessionRequired, "This API key acts as no user; name one with user_id");
    target.user.or(caller.user()).ok_or_else(nobody)
}

/// Writes down what was done to the preferences of somebody else.
fn audit<T>(
    action: &'static str,
    tenant: &Tenant,
    visitor: &Visitor,
    caller: &Principal,
    target: &Target,
    outcome: &Result<T>,
) {
    let Some(of) = target.user.filter(|user| Some(*user) != caller.user()) else { return };
    tracing::info!(
        target: "audit", action, outcome = kernel::error::outcome_word(outcome),
        tenant = tenant.name, user = caller.user(), of, for_client = target.client, client = %visitor.client,
        request_id = %visitor.request,
    );
}
