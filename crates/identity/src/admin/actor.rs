//! Who changes users and groups, and how far that reaches.

use std::{net::IpAddr, sync::Arc};

use kernel::{
    Credential, Error, Group, Principal, Reason, Result, Tenant, WriteContext,
    ability::{self, Ability},
};
use uuid::Uuid;

use crate::entry::Visitor;

/// Who changes users and groups. Nobody gives or touches more than they have.
#[derive(Debug, Clone)]
pub struct Actor {
    pub(crate) context: WriteContext,
    client: Option<IpAddr>,
    caller: Option<Arc<Principal>>,
}

impl Actor {
    /// The operator on the command line, or the server itself: everything is in reach.
    pub const fn operator() -> Self {
        Self { context: WriteContext::system(), client: None, caller: None }
    }

    /// The caller of a request.
    pub(crate) fn caller(caller: &Arc<Principal>, visitor: &Visitor) -> Self {
        Self { context: visitor.context(caller.user()), client: Some(visitor.client), caller: Some(Arc::clone(caller)) }
    }

    /// Whether it is the operator, who needs no administrator to be left.
    pub(crate) const fn is_operator(&self) -> bool {
        self.caller.is_none()
    }

    /// Whether a user is the caller.
    pub(crate) fn is(&self, user: Uuid) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.id == user)
    }

    /// Whether a group is the caller's.
    pub(crate) fn is_in(&self, group: i64) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.group.id == group)
    }

    /// The power that nothing it gives may exceed.
    pub(crate) fn power(&self) -> u8 {
        self.caller.as_ref().map_or(100, |caller| caller.group.power)
    }

    /// Refuses a group that is beyond the caller: of more power, with an ability that the caller lacks, or, for an API
    /// key, with abilities that are none of its scopes. `free` is the group that anyone may join by registering.
    ///
    /// Errors: 403 `power_too_low`, `ability_missing`, `scope_missing`.
    pub(crate) fn require_reach(&self, group: &Group, free: &str) -> Result<()> {
        let Some(caller) = &self.caller else { return Ok(()) };
        if group.power > caller.group.power {
            let message = format!("The group {:?} has more power than your own", group.name);
            return Err(Error::new(Reason::PowerTooLow, message));
        }
        let scopes = match &caller.credential {
            Credential::Key(key) if group.name != free => Some(&key.scopes),
            _ => None,
        };
        let lacks = |ability: &Ability| !caller.group.has(*ability);
        let unscoped = |ability: &Ability| scopes.is_some_and(|scopes| !scopes.iter().any(|name| name == ability.name));
        for ability in ability::ALL.iter().filter(|ability| group.has(**ability)) {
            let (reason, whose) = if lacks(ability) {
                (Reason::AbilityMissing, "your own lacks")
            } else if unscoped(ability) {
                (Reason::ScopeMissing, "is no scope of the API key")
            } else {
                continue;
            };
            let message = format!("The group {:?} has the ability {}, which {whose}", group.name, ability.name);
            return Err(Error::new(reason, message));
        }
        Ok(())
    }

    /// Refuses whoever may not give any place in any toolkit: these are rights that no power measures.
    ///
    /// Errors: 403 `power_too_low`, `scope_missing`.
    pub(crate) fn require_places(&self) -> Result<()> {
        let Some(caller) = &self.caller else { return Ok(()) };
        if caller.group.power < 100 {
            let message = "Places in toolkits are given to single users by a power of 100";
            return Err(Error::new(Reason::PowerTooLow, message).at("toolkit_overrides"));
        }
        caller.require(ability::GROUPS_MANAGE)
    }

    /// Writes down what was done or refused: who, whom or what, and which fields; never a value.
    pub(crate) fn audit<T>(
        &self,
        tenant: &Tenant,
        action: &'static str,
        of: &str,
        fields: &[&'static str],
        outcome: &Result<T>,
    ) {
        let (word, status) = match outcome {
            Ok(_) if action.ends_with("-create") => ("ok", 201),
            Ok(_) if action.ends_with("-delete") => ("ok", 204),
            Ok(_) => ("ok", 200),
            Err(error) => (error.reason.word(), error.reason.status()),
        };
        tracing::info!(
            target: "audit", action, outcome = word, status,
            tenant = tenant.name, user = self.context.user, of, fields = fields.join(","),
            client = self.client.map(tracing::field::display), request_id = self.context.request.map(tracing::field::display),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Actor;
    use crate::entry::Visitor;
    use kernel::{ApiKey, Credential, Group, KeyKind, Principal, Reason, RequestId};
    use std::sync::Arc;
    use uuid::Uuid;

    fn group(name: &str, power: u8, abilities: &[&str]) -> Group {
        Group {
            id: i64::from(power),
            name: name.into(),
            power,
            basic_rules: vec![],
            advanced_rules: vec![],
            abilities: abilities.iter().map(|name| (*name).to_owned()).collect(),
            max_limit: None,
            max_where_conditions: None,
            allow_batch_operations: false,
            session_timeout_minutes: None,
            max_concurrent_sessions: None,
            user_settings_access: "read-own-only".into(),
            toolkits: Arc::default(),
        }
    }

    fn actor(group: Group, scopes: Option<&[&str]>) -> Actor {
        let credential = match scopes {
            None => Credential::Session(Uuid::nil()),
            Some(scopes) => Credential::Key(ApiKey {
                id: "k".into(),
                kind: KeyKind::Server,
                scopes: scopes.iter().map(|name| (*name).to_owned()).collect(),
            }),
        };
        let principal = Principal {
            id: Uuid::nil(),
            number: 1,
            username: "ada".into(),
            email: None,
            name: "Ada".into(),
            group: Arc::new(group),
            toolkit_overrides: Arc::default(),
            credential,
        };
        let visitor =
            Visitor { request: RequestId::now(), client: std::net::Ipv4Addr::LOCALHOST.into(), user_agent: None };
        Actor::caller(&Arc::new(principal), &visitor)
    }

    fn refusal(actor: &Actor, target: &Group) -> Option<Reason> {
        actor.require_reach(target, "users").err().map(|error| error.reason)
    }

    #[test]
    fn nobody_reaches_beyond_the_own_power_and_abilities() {
        let moderator = actor(group("moderators", 70, &["users.manage"]), None);
        assert_eq!(refusal(&moderator, &group("moderators", 70, &["users.manage"])), None);
        assert_eq!(refusal(&moderator, &group("chiefs", 71, &[])), Some(Reason::PowerTooLow));
        assert_eq!(refusal(&moderator, &group("odd", 20, &["groups.manage"])), Some(Reason::AbilityMissing));
        assert_eq!(refusal(&Actor::operator(), &group("administrators", 100, &[])), None);
    }

    #[test]
    fn a_key_reaches_no_further_than_its_scopes() {
        let key = actor(group("administrators", 100, &[]), Some(&["users.manage"]));
        assert_eq!(refusal(&key, &group("users", 10, &[])), None, "anyone may join it");
        assert_eq!(refusal(&key, &group("publishers", 40, &[])), Some(Reason::ScopeMissing));
        assert_eq!(refusal(&key, &group("users", 10, &["explain"])), None);
    }
}
