//! What a tenant says otherwise: the file `columns.toml` in its folder.

use std::path::Path;

use kernel::columns::ColumnChoices;
use serde::Deserialize;

/// The file's name.
pub const FILE: &str = "columns.toml";
const MOST_BYTES: u64 = 256 << 10;

/// The file's keys: those of the section in `insula.toml`, and the names of other implementations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantColumns {
    /// Whether the tenant's own tables get the system columns that they lack; as `insula.toml` says where absent.
    pub enabled: Option<bool>,
    /// Whether Insula's tables of users and groups get them, too; as `insula.toml` says where absent.
    pub core: Option<bool>,
    /// What single tables do not get, by their names: `{ all = false }`, `{ pinned_to = false }`.
    pub overrides: ColumnChoices,
    /// The same for Insula's tables of users and groups.
    pub core_overrides: ColumnChoices,
    /// The same as `overrides`.
    pub system_column_overrides: ColumnChoices,
    /// The same as `core_overrides`.
    pub core_system_column_overrides: ColumnChoices,
}

/// Reads the file of a tenant's folder; none is as good as an empty one. The error names file, line and key.
pub(crate) async fn read(folder: &Path) -> Result<TenantColumns, String> {
    let file = folder.join(FILE);
    let unreadable = |error: std::io::Error| format!("{FILE} cannot be read: {error}");
    match tokio::fs::metadata(&file).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(TenantColumns::default()),
        Err(error) => return Err(unreadable(error)),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Err(format!("{FILE} is larger than 256KB")),
        Ok(_) => {}
    }
    let text = tokio::fs::read_to_string(&file).await.map_err(unreadable)?;
    parse(&text)
}

fn parse(text: &str) -> Result<TenantColumns, String> {
    toml::from_str(text).map_err(|error| format!("{FILE}: {}", error.to_string().trim_end()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_kinds_of_names_are_read() {
        let file = parse("enabled = true\n[overrides.a]\nall = false\n[system_column_overrides.b]\npinned_to = false")
            .unwrap();
        assert_eq!(file.enabled, Some(true));
        assert_eq!((file.overrides["a"].all, file.system_column_overrides["b"].pinned_to), (Some(false), Some(false)));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let mistake = parse("enabled = true\n\n[overrides.a]\npinned = false").unwrap_err();
        assert!(mistake.starts_with("columns.toml: TOML parse error at line 4"), "{mistake}");
        assert!(parse("enabled = \"yes\"").is_err());
    }
}
