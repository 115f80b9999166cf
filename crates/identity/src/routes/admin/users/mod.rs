//! `/admin/users`.

mod change;
mod create;
mod list;
mod remove;
mod show;

use std::sync::Arc;

use kernel::{ToolkitOverride, time::rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{Identity, UserRecord, UserStatus, accounts::Profile, tables::users::Lookup};

pub(super) fn routes() -> OpenApiRouter<Arc<Identity>> {
    OpenApiRouter::new().routes(routes!(list::list_users, create::create_user)).routes(routes!(
        show::show_user,
        change::change_user,
        remove::delete_user
    ))
}

/// A user as administrators see one.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct AdminUser {
    /// The user's number in the tenant.
    #[schema(example = 7)]
    id: i64,
    /// The user's id.
    #[schema(value_type = String, format = "uuid")]
    uuid: Uuid,
    /// The name to log in with.
    #[schema(example = "jane")]
    username: String,
    /// The e-mail address, where one is known.
    #[schema(example = "jane@example.com")]
    email: Option<String>,
    /// When the address proved to be the user's own, RFC 3339 in UTC.
    email_verified_at: Option<String>,
    /// The name to show.
    #[schema(example = "Jane Doe")]
    name: String,
    /// The group's name.
    #[schema(example = "users")]
    role: String,
    /// The group's power, from 1 to 100.
    #[schema(example = 10)]
    power: u8,
    /// Whether the user may log in.
    status: Status,
    /// When the user was made.
    created_at: String,
    /// When one of the sessions that are alive was last used, to half a minute.
    last_seen: Option<String>,
    /// Whether a second factor is asked for.
    second_factor: bool,
    /// Whether there is a password.
    has_password: bool,
    /// Whether there is a PIN.
    has_pin: bool,
    /// Whether there is a card or badge.
    has_card: bool,
    /// Places in toolkits that the user has whatever the group has.
    toolkit_overrides: Vec<ToolkitPlace>,
    /// With `expand=profile`: what the user tells others.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

/// Whether a user may log in.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// May log in.
    Active,
    /// May not, and has no sessions.
    Suspended,
}

impl From<UserStatus> for Status {
    fn from(status: UserStatus) -> Self {
        match status {
            UserStatus::Active => Self::Active,
            UserStatus::Suspended => Self::Suspended,
        }
    }
}

impl From<Status> for UserStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
        }
    }
}

impl From<UserRecord> for AdminUser {
    fn from(record: UserRecord) -> Self {
        let UserRecord { user, has_password, has_pin, has_card, second_factor, last_seen, profile } = record;
        Self {
            id: user.number,
            uuid: user.id,
            username: user.username,
            email: user.email,
            email_verified_at: user.email_verified_at.map(rfc3339),
            name: user.name,
            role: user.group.name,
            power: user.group.power,
            status: user.status.into(),
            created_at: rfc3339(user.created_at),
            last_seen: last_seen.map(rfc3339),
            second_factor,
            has_password,
            has_pin,
            has_card,
            toolkit_overrides: user.toolkit_overrides.iter().cloned().map(Into::into).collect(),
            profile,
        }
    }
}

/// A place in a toolkit.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToolkitPlace {
    /// The toolkit's name.
    #[schema(example = "lending")]
    toolkit: String,
    /// The group in the toolkit.
    #[schema(example = "staff")]
    group: String,
}

impl From<ToolkitOverride> for ToolkitPlace {
    fn from(ToolkitOverride { toolkit, group }: ToolkitOverride) -> Self {
        Self { toolkit, group }
    }
}

impl From<ToolkitPlace> for ToolkitOverride {
    fn from(ToolkitPlace { toolkit, group }: ToolkitPlace) -> Self {
        Self { toolkit, group }
    }
}

/// One user.
#[derive(Serialize, ToSchema)]
struct OneUser {
    /// The user.
    user: AdminUser,
    /// The password that was made; it is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// With `invite`: whether the letter is on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    invited: Option<bool>,
}

impl OneUser {
    fn new(record: UserRecord) -> Self {
        Self { user: record.into(), password: None, invited: None }
    }
}

/// The id of a path: the user's id or number. Whatever is neither is nobody's.
fn named(id: &str) -> Lookup {
    match id.parse() {
        Ok(number) => Lookup::Number(number),
        Err(_) => Lookup::Id(id.parse().unwrap_or_default()),
    }
}
