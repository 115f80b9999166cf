//! Who a request acts as.

use std::sync::Arc;

use uuid::Uuid;

use crate::{Error, Reason, Result, ability::Ability};

/// How a request proved who it acts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The token of a session, by the session's id.
    Session(Uuid),
    /// An API key.
    Key(ApiKey),
    /// The token of an outside service; it calls, and has no right beyond that.
    Webhook(WebhookCredential),
}

/// What a request may know of the outside service that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookCredential {
    /// The token's id.
    pub id: Uuid,
    /// The name that its maker gave it.
    pub name: String,
}

/// What a request may know of the API key that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's public id.
    pub id: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The names of the abilities that it may use, if its group has them.
    pub scopes: Vec<String>,
}

/// The kinds of API keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Names the tenant and acts as the group `anonymous`; no secret.
    Publishable,
    /// For a server: acts as a group, not as a user.
    Server,
    /// Acts as the user who made it.
    Personal,
}

impl KeyKind {
    /// The word for it, in the key itself, in requests and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Publishable => "pk",
            Self::Server => "sk",
            Self::Personal => "pat",
        }
    }
}

/// Who a request acts as, with the group that decides its rights.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The user's id; the nil id where a key acts as no user.
    pub id: Uuid,
    /// The user's number in the tenant: 1, 2, 3 …; what the JSON API calls `id` and system columns refer to. 0 where a
    /// key acts as no user; no row is ever owned by 0.
    pub number: i64,
    /// The name to log in with.
    pub username: String,
    /// The e-mail address, where one is known.
    pub email: Option<String>,
    /// The name to show.
    pub name: String,
    /// The group as it is now.
    pub group: Arc<Group>,
    /// Places in toolkits that the user has whatever the group has; empty for most.
    pub toolkit_overrides: Arc<[ToolkitOverride]>,
    /// What the request came with.
    pub credential: Credential,
}

impl Principal {
    /// Refuses with 403 unless the group has the ability, by listing it or by its power, and an API key has it as a
    /// scope.
    pub fn require(&self, ability: Ability) -> Result<()> {
        let in_scope = match &self.credential {
            Credential::Session(_) => true,
            Credential::Key(key) => key.scopes.iter().any(|scope| scope == ability.name),
            Credential::Webhook(_) => false,
        };
        if !in_scope {
            let message = format!("This needs an API key with the scope {}", ability.name);
            return Err(Error::new(Reason::ScopeMissing, message));
        }
        if self.group.has(ability) {
            return Ok(());
        }
        Err(Error::new(Reason::AbilityMissing, format!("This needs the ability {}", ability.name)))
    }

    /// The session of the request. Refuses API keys with 403 `session_required`: what changes a credential, or lasts
    /// longer than a key, is for people who have logged in.
    pub fn session(&self) -> Result<Uuid> {
        match &self.credential {
            Credential::Session(session) => Ok(*session),
            Credential::Key(_) | Credential::Webhook(_) => Err(Error::plain(Reason::SessionRequired)),
        }
    }

    /// The user's number for system columns, where the request acts as a user.
    pub fn user(&self) -> Option<i64> {
        (self.number != 0).then_some(self.number)
    }
}

/// A role: a power from 1 to 100, the rules of the data API and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The row's id.
    pub id: i64,
    /// The name, unique in the tenant.
    pub name: String,
    /// From 1, the weakest, to 100.
    pub power: u8,
    /// Table rules, `table:code`.
    pub basic_rules: Vec<String>,
    /// Column rules, `table.column:code`.
    pub advanced_rules: Vec<String>,
    /// Named rights beyond those that the power brings.
    pub abilities: Vec<String>,
    /// Rows that one select may return, where it differs from the tenant's default.
    pub max_limit: Option<u64>,
    /// Conditions that one query may have, where it differs from the tenant's default.
    pub max_where_conditions: Option<u64>,
    /// Whether batches are allowed.
    pub allow_batch_operations: bool,
    /// Minutes without activity after which a session ends, where it differs from the tenant's default.
    pub session_timeout_minutes: Option<u64>,
    /// Sessions that a user may have at once, where it differs from the tenant's default.
    pub max_concurrent_sessions: Option<u64>,
    /// `read-own-only`, `read-write-own` or `read-write-all`.
    pub user_settings_access: String,
    /// What places in toolkits add to the rules; empty in the database's own groups.
    pub toolkits: Arc<[ToolkitGroup]>,
}

/// A place in a toolkit that one user has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
pub struct ToolkitOverride {
    /// The toolkit's name.
    pub toolkit: String,
    /// The name of the group in the toolkit.
    pub group: String,
}

/// What a place in a toolkit adds to the rules of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolkitGroup {
    /// The toolkit's name.
    pub toolkit: String,
    /// The name of the group in the toolkit.
    pub group: String,
    /// Table rules, `table:code`.
    pub basic_rules: Vec<String>,
    /// Column rules, `table.column:code`.
    pub advanced_rules: Vec<String>,
}

impl Group {
    /// Whether the group has an ability, by listing it or by its power.
    pub fn has(&self, ability: Ability) -> bool {
        self.power >= ability.from_power || self.abilities.iter().any(|name| name == ability.name)
    }

    /// Whether it stands for the own rights of a toolkit: of power 0, which no group of a database has, and named
    /// `toolkit:` and the toolkit's name.
    pub fn is_toolkit(&self) -> bool {
        self.power == 0 && self.name.starts_with("toolkit:")
    }
}
