//! Column codes: `block`, `bo`, `bg`, `boi`, `bgi`, `r`, `rw`, `rwa`.

use std::str::FromStr;

/// What a column rule says, from the least permissive on: what shows more comes later, then what lets write more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnCode {
    /// Invisible.
    Block,
    /// Blocked unless the row is the caller's own.
    BlockUnlessOwn,
    /// Blocked unless the row is of the caller's group.
    BlockUnlessGroup,
    /// Blocked where the row is of the caller's group.
    BlockGroup,
    /// Blocked where the row is the caller's own.
    BlockOwn,
    /// Readable.
    Read,
    /// Readable and writable.
    Write,
    /// Readable and writable, even if it is a system column.
    WriteSystem,
}

/// A property of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowIs {
    /// It is the caller's own.
    Own,
    /// It belongs to a user of the caller's group.
    Group,
}

/// Where a column can be seen, or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// In every row.
    Yes,
    /// Nowhere.
    No,
    /// Where the row is not so.
    Unless(RowIs),
    /// Where the row is so.
    OnlyIf(RowIs),
}

impl ColumnCode {
    /// The word as a rule has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::BlockOwn => "bo",
            Self::BlockGroup => "bg",
            Self::BlockUnlessOwn => "boi",
            Self::BlockUnlessGroup => "bgi",
            Self::Read => "r",
            Self::Write => "rw",
            Self::WriteSystem => "rwa",
        }
    }

    /// Where it lets the column be seen.
    pub const fn read(self) -> Visibility {
        match self {
            Self::Block => Visibility::No,
            Self::BlockOwn => Visibility::Unless(RowIs::Own),
            Self::BlockGroup => Visibility::Unless(RowIs::Group),
            Self::BlockUnlessOwn => Visibility::OnlyIf(RowIs::Own),
            Self::BlockUnlessGroup => Visibility::OnlyIf(RowIs::Group),
            Self::Read | Self::Write | Self::WriteSystem => Visibility::Yes,
        }
    }

    /// Where it lets the column be written, the table's code permitting.
    pub const fn write(self) -> Visibility {
        match self {
            Self::Read => Visibility::No,
            other => other.read(),
        }
    }
}

impl FromStr for ColumnCode {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        Ok(match code {
            "block" | "b" => Self::Block,
            "bo" => Self::BlockOwn,
            "bg" => Self::BlockGroup,
            "boi" => Self::BlockUnlessOwn,
            "bgi" => Self::BlockUnlessGroup,
            "r" => Self::Read,
            "rw" => Self::Write,
            "rwa" => Self::WriteSystem,
            _ => return Err(format!("{code:?} is none of the column codes block, bo, bg, boi, bgi, r, rw, rwa")),
        })
    }
}
