//! `POST /preferences`.

use std::sync::Arc;

use axum::extract::State;
use edge::{Answer, Caller, Json, RequestInfo};
use kernel::{Error, Reason, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::visitor;
use crate::{
    Identity,
    preferences::{Layer, Target, View},
};

/// What to do with preferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Reads them.
    Get,
    /// Merges `data` into a layer: objects are merged, everything else is replaced, null is a value.
    Set,
    /// Forgets a layer, or all.
    Reset,
}

/// Which layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Type {
    /// To get: the layer of all clients with that of the client above it.
    Normal,
    /// The layer of the client.
    Client,
    /// The layer of all clients.
    Global,
    /// To reset: all layers.
    Full,
}

/// What to do with whose preferences.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreferencesRequest {
    /// What to do.
    action: Action,
    /// The name of the client program: letters, digits and underscores; not `global`.
    #[schema(example = "emoegui", min_length = 1, max_length = 128)]
    client: String,
    /// The user's number; the caller where absent. Others take a group with `user_settings_access` = `read-write-all`.
    #[schema(example = 123)]
    user_id: Option<i64>,
    /// Which layer: `normal` (where absent), `client` or `global` to get, `client` (where absent) or `global` to set,
    /// `client` (where absent), `global` or `full` to reset.
    #[serde(rename = "type")]
    layer: Option<Type>,
    /// What to set, at most 16 levels deep; all of a user's preferences have at most 64 KiB.
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
}

/// Preferences as they are.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the words that are sent")]
pub(super) struct Preferences {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// The name of the client program; absent after a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "emoegui")]
    client: Option<String>,
    /// Which layer.
    #[serde(rename = "type")]
    layer: Type,
    /// The user's number.
    #[schema(example = 123)]
    user_id: i64,
    /// What the layer holds; absent after a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    data: Option<Map<String, Value>>,
    /// The same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    preferences: Option<Map<String, Value>>,
}

/// Reads and changes what client programs keep for a user: a layer for all of them and one for each.
///
/// The group's `user_settings_access` says what is allowed: `read-own-only`, `read-write-own` or `read-write-all`.
#[utoipa::path(
    post,
    path = "/preferences",
    operation_id = "preferences",
    request_body = PreferencesRequest,
    responses(
        (status = 200, body = Preferences),
        (status = 400, body = edge::Envelope, description = "`field_missing`, `field_unknown`, `field_invalid`."),
        (status = 403, body = edge::Envelope, description = "`ability_missing`, `scope_missing`, `session_required`."),
        (status = 404, body = edge::Envelope, description = "`not_found`: for those who may write everybody's."),
    )
)]
pub(super) async fn preferences(
    State(identity): State<Arc<Identity>>,
    caller: Caller,
    info: RequestInfo,
    Json(asked): Json<PreferencesRequest>,
) -> edge::Result {
    let (tenant, principal, visitor) = (caller.tenant(), caller.principal(), visitor(info));
    if asked.data.is_some() && asked.action != Action::Set {
        return Err(Error::new(Reason::FieldUnknown, "Only set takes data").at("data").into());
    }
    let PreferencesRequest { action, client, user_id, layer, data } = asked;
    let target = Target { client, user: user_id };
    let (layer, (user_id, data)) = match action {
        Action::Get => {
            let layer = layer.unwrap_or(Type::Normal);
            let (user, data) = identity.preferences(tenant, principal, &target, layer.view()?).await?;
            (layer, (user, Some(data)))
        }
        Action::Set => {
            let layer = layer.unwrap_or(Type::Client);
            let missing = || Error::new(Reason::FieldMissing, "What shall be set is missing").at("data");
            let work = (layer.layer("set")?, data.ok_or_else(missing)?);
            let (user, data) = identity.set_preferences(tenant, &visitor, principal, &target, work).await?;
            (layer, (user, Some(data)))
        }
        Action::Reset => {
            let layer = layer.unwrap_or(Type::Client);
            let which = if layer == Type::Full { None } else { Some(layer.layer("reset")?) };
            (layer, (identity.reset_preferences(tenant, &visitor, principal, &target, which).await?, None))
        }
    };
    let client = data.is_some().then_some(target.client);
    let preferences = data.clone();
    Ok(Answer::with_status(200, Preferences { success: true, client, layer, user_id, data, preferences }))
}

impl Type {
    fn view(self) -> Result<View> {
        match self {
            Self::Normal => Ok(View::Normal),
            Self::Client => Ok(View::Client),
            Self::Global => Ok(View::Global),
            Self::Full => Err(invalid("get takes the types normal, client and global")),
        }
    }

    fn layer(self, action: &str) -> Result<Layer> {
        match self {
            Self::Client => Ok(Layer::Client),
            Self::Global => Ok(Layer::Global),
            Self::Full | Self::Normal => {
                let further = if action == "reset" { ", global and full" } else { " and global" };
                Err(invalid(&format!("{action} takes the types client{further}")))
            }
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Reason::FieldInvalid, message).at("type")
}
