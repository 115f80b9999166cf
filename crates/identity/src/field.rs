//! Fields of a change: sent, sent as null, or not sent.

use serde::{Deserialize, Deserializer};

/// A field of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// It was not sent and stays as it is.
    #[default]
    Kept,
    /// It was sent as null.
    Cleared,
    /// It was sent.
    Set(T),
}

impl<T> Field<T> {
    /// What it shall be, where it was sent: a value or none.
    pub fn sent(self) -> Option<Option<T>> {
        match self {
            Self::Kept => None,
            Self::Cleared => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }

    /// Whether it was sent at all.
    pub const fn is_sent(&self) -> bool {
        !matches!(self, Self::Kept)
    }

    /// The value that was sent.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Kept | Self::Cleared => None,
        }
    }
}

impl<T> From<Option<T>> for Field<T> {
    /// A value, or null for none.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Cleared, Self::Set)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(field)?.into())
    }
}
