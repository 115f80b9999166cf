//! What a call knows: what services and programs are sent, and what placeholders stand for.

use kernel::{Principal, RequestId};
use serde::Serialize;
use serde_json::{Map, Value};

/// The context of a call. It never holds a secret, a credential or a setting of the server.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those that services and programs know")]
pub(crate) struct Context {
    /// The caller's number in the tenant; null where a key or a schedule acts as no user.
    pub(crate) user_id: Option<i64>,
    pub(crate) username: String,
    pub(crate) power: u8,
    pub(crate) core_group_id: i64,
    pub(crate) core_group_name: String,
    /// The caller's group in the toolkit.
    pub(crate) toolkit_group: Option<String>,
    pub(crate) request_id: String,
    pub(crate) payload: Map<String, Value>,
    pub(crate) db_context: Map<String, Value>,
}

impl Context {
    pub(crate) fn new(
        principal: &Principal,
        toolkit_group: Option<String>,
        request: RequestId,
        payload: Map<String, Value>,
    ) -> Self {
        Self {
            user_id: principal.user(),
            username: principal.username.clone(),
            power: principal.group.power,
            core_group_id: principal.group.id,
            core_group_name: principal.group.name.clone(),
            toolkit_group,
            request_id: request.to_string(),
            payload,
            db_context: Map::new(),
        }
    }
}
