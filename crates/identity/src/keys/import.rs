//! Keys of other back ends.

/// A key of another back end, classified.
#[derive(Debug, Clone)]
pub struct ForeignKey;

/// What became of a key of another back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It can be used.
    Kept,
}
