//! Abilities: named rights that a part of Insula asks for and a group lists.

/// A named right with the sentence that the book shows for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ability {
    /// The name, `resource.action`; API-key scopes use the same names.
    pub name: &'static str,
    /// What whoever has it may do.
    pub meaning: &'static str,
    /// The power from which a group has it without listing it.
    pub from_power: u8,
}

/// Asks `POST /query` why: the statement's shape, the rules and what they stripped.
pub const EXPLAIN: Ability =
    Ability { name: "explain", meaning: "May ask why a row, column or table was allowed or refused.", from_power: 90 };

/// Re-reads rules and schema of the tenant.
pub const RELOAD: Ability =
    Ability { name: "reload", meaning: "May make the tenant re-read its rules and its schema.", from_power: 90 };

/// Every ability there is.
pub const ALL: &[Ability] = &[EXPLAIN, RELOAD];
