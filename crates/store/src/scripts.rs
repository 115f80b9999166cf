//! A tenant's own migrations: numbered SQL files in its folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{Database, Dialect, Error, Result, migration};

/// The name under which the tenant's own steps are remembered.
pub(crate) const FEATURE: &str = "tenant";

/// A file that was applied, now or earlier.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AppliedScript {
    /// Its number.
    pub number: u32,
    /// Its name without number and ending.
    pub name: String,
    /// Whether it was applied just now.
    pub new: bool,
}

/// Applies the files `0001_name.sql` (or `0001_name.postgres.sql` where dialects differ) of a folder in order.
///
/// Each file is one transaction where the database can undo definitions; MariaDB commits them one by one. Errors:
/// [`Error::Migration`] for a changed, missing or misnamed file, naming it.
pub async fn apply_scripts(database: &Database, folder: &Path) -> Result<Vec<AppliedScript>> {
    let scripts = find(folder, database.dialect())?;
    let applied = migration::remembered(database).await?;
    for ((_, number), step) in applied.iter().filter(|((feature, _), _)| feature == FEATURE) {
        if !scripts.contains_key(number) {
            return Err(Error::Migration(format!("{number:04}_{}.sql was applied but is gone", step.name)));
        }
    }
    let mut report = Vec::new();
    for (number, script) in scripts {
        let sql = std::fs::read_to_string(&script.path)
            .map_err(|error| Error::Migration(format!("{} cannot be read: {error}", script.file())))?;
        let checksum = migration::checksum(&sql);
        let known = applied.get(&(FEATURE.to_owned(), number));
        if known.is_some_and(|known| known.checksum != checksum) {
            return Err(Error::Migration(format!("{} was changed after it was applied", script.file())));
        }
        if known.is_none() {
            migration::apply(database, FEATURE, number, &script.name, &checksum, &sql)
                .await
                .map_err(|error| Error::Migration(format!("{} failed: {error}", script.file())))?;
        }
        report.push(AppliedScript { number, name: script.name, new: known.is_none() });
    }
    if report.iter().any(|script| script.new) {
        database.refresh_schema().await?;
    }
    Ok(report)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Script {
    name: String,
    path: PathBuf,
    /// Whether it is for this dialect alone, and so wins over one for all.
    special: bool,
}

impl Script {
    fn file(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn find(folder: &Path, dialect: Dialect) -> Result<BTreeMap<u32, Script>> {
    let mut found: BTreeMap<u32, Script> = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(found) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(file) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".sql"))
        else {
            continue;
        };
        let (number, name, special) = parse(file)?;
        if special.is_some_and(|word| word != dialect.word()) {
            continue;
        }
        let script = Script { name: name.to_owned(), path: path.clone(), special: special.is_some() };
        match found.get(&number) {
            Some(other) if other.special == script.special => {
                return Err(Error::Migration(format!("{} and {} have one number", other.file(), script.file())));
            }
            Some(other) if other.special => {}
            _ => drop(found.insert(number, script)),
        }
    }
    Ok(found)
}

/// Number, name and dialect of `0001_name` or `0001_name.postgres`.
fn parse(file: &str) -> Result<(u32, &str, Option<&str>)> {
    let wrong = || Error::Migration(format!("{file}.sql is not named like 0001_name.sql or 0001_name.postgres.sql"));
    let (number, rest) = file.split_once('_').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    match rest.rsplit_once('.') {
        None => Ok((number, rest, None)),
        Some((name, word @ ("sqlite" | "postgres" | "mariadb"))) => Ok((number, name, Some(word))),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn file_names_are_read() {
        assert_eq!(parse("0001_rooms").unwrap(), (1, "rooms", None));
        assert_eq!(parse("0012_more_rooms.postgres").unwrap(), (12, "more_rooms", Some("postgres")));
        for bad in ["rooms", "x_rooms", "0001_rooms.oracle"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
