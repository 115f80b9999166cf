//! Abilities: named rights that a part of Insula asks for and a group lists. An API key lists them as its scopes.

/// A named right with the sentence that the book shows for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ability {
    /// The name, `resource.action` for most; API-key scopes use the same names.
    pub name: &'static str,
    /// What whoever has it may do.
    pub meaning: &'static str,
    /// The power from which a group has it without listing it.
    pub from_power: u8,
}

macro_rules! abilities {
    ($($constant:ident $name:literal from $power:literal $meaning:literal,)*) => {
        $(#[doc = $meaning] pub const $constant: Ability =
            Ability { name: $name, meaning: $meaning, from_power: $power };)*

        /// Every ability there is.
        pub const ALL: &[Ability] = &[$($constant,)*];
    };
}

abilities! {
    DATA_READ "data.read" from 1 "May read and count rows, as far as the rules of the group go.",
    DATA_INSERT "data.insert" from 1 "May insert rows, as far as the rules of the group go.",
    DATA_UPDATE "data.update" from 1 "May update rows, as far as the rules of the group go.",
    DATA_DELETE "data.delete" from 1 "May delete rows, as far as the rules of the group go.",
    EXPLAIN "explain" from 90 "May ask why a row, column or table was allowed or refused.",
    RELOAD "reload" from 90 "May make the tenant re-read its rules and its schema.",
    RESTART "restart" from 100 "May make the server restart at once; only in the first tenant.",
    SETTINGS_MANAGE "settings.manage" from 100 "May see and change the settings that the tenant keeps in its database.",
    TOOLKITS_CALL "toolkits.call" from 1 "May call endpoints of toolkits, as far as the group's place in them goes.",
    AUDIT_READ "audit.read" from 90 "May read the tenant's audit log.",
    ACCOUNT_READ "account.read" from 1 "May read the own account and where it is logged in.",
    ACCOUNT_WRITE "account.write" from 1 "May change the own profile and preferences.",
    KEYS_MANAGE "keys.manage" from 10 "May make, change, rotate and revoke API keys of the own account.",
    KEYS_ADMIN "keys.admin" from 90 "May see and revoke the API keys of everybody in the tenant.",
    USERS_READ "users.read" from 70 "May list and see users of the tenant.",
    USERS_MANAGE "users.manage" from 90 "May make, change and remove users of at most the own power.",
    GROUPS_READ "groups.read" from 70 "May list and see groups of the tenant.",
    GROUPS_MANAGE "groups.manage" from 100 "May make, change and remove groups of at most the own power.",
    TENANTS_MANAGE "tenants.manage" from 100 "May make, change, export and delete tenants; only in the first tenant.",
}

/// The ability of a name.
pub fn by_name(name: &str) -> Option<Ability> {
    ALL.iter().copied().find(|ability| ability.name == name)
}

#[cfg(test)]
mod tests {
    use super::{ALL, by_name};

    #[test]
    fn names_are_unique_and_found() {
        for ability in ALL {
            assert_eq!(by_name(ability.name), Some(*ability));
            assert!((1..=100).contains(&ability.from_power) && ability.meaning.ends_with('.'));
        }
    }
}
