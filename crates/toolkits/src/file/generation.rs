//! Columns that are filled in.

use serde::Deserialize;

/// How a column is filled in where a write leaves it out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// What with.
    pub kind: GenerationKind,
    /// Text before a number of `sequence` or the characters of `random`.
    #[serde(default)]
    pub prefix: String,
    /// Text after a number of `sequence`.
    #[serde(default)]
    pub suffix: String,
    /// The least number of digits of `sequence`; zeros are put before it.
    #[serde(default)]
    pub digits: u8,
    /// The first number of `sequence`.
    #[serde(default)]
    pub start: Option<u64>,
    /// The characters of `random`; digits and capital letters that are not mistaken for each other where absent.
    #[serde(default)]
    pub alphabet: Option<String>,
    /// How many characters of `random`; 8 where absent.
    #[serde(default)]
    pub length: Option<u8>,
    /// On which writes.
    #[serde(default = "on_insert")]
    pub on: Vec<WriteAction>,
    /// Whether a value of the caller's is put aside.
    #[serde(default)]
    pub always: bool,
}

fn on_insert() -> Vec<WriteAction> {
    vec![WriteAction::Insert]
}

/// What a column is filled in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GenerationKind {
    /// A number that counts up and never comes twice.
    Sequence,
    /// Random characters.
    Random,
    /// A UUID of version 7.
    Uuid,
    /// The time of the request.
    Now,
    /// The number of the acting user.
    User,
}

/// A write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WriteAction {
    /// A new row.
    Insert,
    /// A change of rows.
    Update,
}
