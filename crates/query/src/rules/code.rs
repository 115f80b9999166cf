//! Table codes: `rwa`, `rw`, `rwg`, `rwo`, `r`, `rg`, `ro`.

use std::{fmt, str::FromStr};

/// Whose rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The caller's own.
    Own,
    /// Those of users in the caller's group.
    Group,
    /// All.
    All,
}

/// What a code allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Rows that may be read.
    pub read: Option<Reach>,
    /// Rows that may be written.
    pub write: Option<Reach>,
    /// Whether system columns may be written too.
    pub system: bool,
}

impl Access {
    /// Both together: the wider reach of each.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            read: self.read.max(other.read),
            write: self.write.max(other.write),
            system: self.system || other.system,
        }
    }

    /// The same without writing.
    #[must_use]
    pub const fn read_only(self) -> Self {
        Self { write: None, system: false, ..self }
    }
}

impl FromStr for Access {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        let (reach, write, system) = match code {
            "rwa" => (Reach::All, true, true),
            "rw" => (Reach::All, true, false),
            "rwg" => (Reach::Group, true, false),
            "rwo" => (Reach::Own, true, false),
            "r" => (Reach::All, false, false),
            "rg" => (Reach::Group, false, false),
            "ro" => (Reach::Own, false, false),
            _ => return Err(format!("{code:?} is none of the codes rwa, rw, rwg, rwo, r, rg, ro")),
        };
        Ok(Self { read: Some(reach), write: write.then_some(reach), system })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = |reach| match reach {
            Reach::Own => "o",
            Reach::Group => "g",
            Reach::All => "",
        };
        match (self.read, self.write) {
            (None, _) => Ok(()),
            (Some(read), None) => write!(f, "r{}", suffix(read)),
            (Some(read), Some(write)) if read == write => {
                write!(f, "rw{}", if self.system { "a" } else { suffix(write) })
            }
            // Reading and writing reach differently far where several codes were joined.
            (Some(read), Some(write)) => write!(f, "r{}+rw{}", suffix(read), suffix(write)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Reach};

    fn access(code: &str) -> Access {
        code.parse().unwrap()
    }

    #[test]
    fn every_code_reads_back() {
        for code in ["rwa", "rw", "rwg", "rwo", "r", "rg", "ro"] {
            assert_eq!(access(code).to_string(), code);
        }
        for bad in ["", "w", "R", "rwx", "rr", " r", "*"] {
            assert!(bad.parse::<Access>().is_err(), "{bad}");
        }
    }

    #[test]
    fn crossing_codes_are_joined() {
        let both = access("r").union(access("rwo"));
        assert_eq!((both.read, both.write), (Some(Reach::All), Some(Reach::Own)));
        assert_eq!(both.to_string(), "r+rwo");
        assert_eq!(access("rwg").read_only().to_string(), "rg");
    }
}
