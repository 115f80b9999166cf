//! SeckelAPI's configuration files and Insula's, each turned into the other. Text goes in, text comes out.
//!
//! SeckelAPI's complete set of keys and how they are spread over its files is not published. So keys are recognised by
//! their names wherever they stand ([`SETTINGS`]), and whatever else there is survives: `insula.toml` gets a copy of
//! each file under `[x_seckelapi."FILE"]`, in which a key that Insula knows only says where its value is now. An export
//! fills these in again, so that a file comes back with its order, its comments and its unknown keys.

mod convert;
mod export;
mod groups;
mod import;
mod report;
mod settings;
mod toolkit;

#[cfg(test)]
mod tests;

pub use self::{
    export::{Exported, export},
    groups::GroupPlan,
    import::{Imported, import},
    report::{Entry, Outcome, Report},
    settings::{SETTINGS, Setting, Unit, alias, by_name},
    toolkit::is_toolkit,
};

/// The table in which Insula's files keep what is SeckelAPI's.
pub const KEPT: &str = "x_seckelapi";

/// A file: its path below the folder, with `/`, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path, such as `security.toml` or `toolkits/shop.toml`.
    pub path: String,
    /// The TOML in it.
    pub text: String,
}

/// A file that cannot be turned at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {problem}")]
pub struct Unreadable {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong. It repeats no value of the file.
    pub problem: String,
}

/// Reads a file as TOML.
fn parsed(path: &str, text: &str) -> Result<toml_edit::DocumentMut, Unreadable> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        Unreadable { path: path.to_owned(), line, problem: error.message().trim().replace('\n', ", ") }
    })
}
