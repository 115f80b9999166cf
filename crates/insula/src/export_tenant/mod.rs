//! Export of a whole tenant: what its owner may carry away, in an open form and without secrets.

mod archive;
mod description;
mod folder;
mod route;

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, IntoInnerError, Write},
    path::Path,
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value as Json, json};
use store::{Database, OpenTenant, Table, TenantRecord};

use self::description::{about, described};
pub(crate) use self::{folder::export_to_folder, route::routes};

use crate::{
    failure::{Failure, Result, io},
    transfer::{self, Format, Progress},
};

/// What of a tenant's folder belongs to its owner. Settings and toolkits are not among it, since they may hold secrets.
const FILES: [&str; 3] = ["rules.toml", "migrations", "mail"];

/// Bytes that the name of a table's file may have, its ending not counted.
const LONGEST_NAME: usize = 200;

/// Insula's own tables, under the names of their files, and the columns that are no secrets.
const OWN: [(&str, &str, &[&str]); 4] = [
    (
        "groups",
        "_groups",
        &[
            "id",
            "name",
            "power",
            "permissions",
            "advanced_rules",
            "abilities",
            "max_limit",
            "max_where_conditions",
            "session_timeout_minutes",
            "max_concurrent_sessions",
            "allow_batch_operations",
            "user_settings_access",
            "description",
        ],
    ),
    (
        "users",
        "_users",
        &[
            "id",
            "number",
            "username",
            "email",
            "name",
            "group_id",
            "status",
            "email_verified_at",
            "preferences",
            "toolkit_overrides",
            "created_at",
            "created_by",
            "last_modified_at",
            "last_modified_by",
        ],
    ),
    ("profiles", "_profiles", &["user_id", "phone", "last", "avatar", "github", "instagram", "bio", "theme"]),
    ("linked_accounts", "_linked_accounts", &["id", "provider", "subject", "user_id", "email", "name", "linked_at"]),
];

/// What was written.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Exported {
    /// Tables of the tenant, views not counted.
    pub(crate) tables: u64,
    /// Their rows.
    pub(crate) rows: u64,
    /// The tenant's users.
    pub(crate) users: u64,
}

/// Where the files of an export go.
trait Sink: Send {
    /// A new file to be written on.
    fn begin(&mut self, name: &str) -> Result<File>;

    /// Takes in a file that [`Self::begin`] gave, now that it is written.
    fn finish(&mut self, name: &str, file: File) -> Result<()>;
}

/// Runs an export where files may block.
async fn on_blocking_thread<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || runtime.block_on(work));
    work.await.map_err(|error| Failure::Other(error.to_string()))?
}

/// Writes a tenant file by file. What others change meanwhile may be there in either state.
async fn write(
    record: &TenantRecord,
    open: &OpenTenant,
    with_password_hashes: bool,
    sink: &mut dyn Sink,
    progress: &mut Progress,
) -> Result<Exported> {
    write_json(sink, "tenant.json", &about(record, open))?;
    let mut schema = Vec::new();
    let mut exported = Exported::default();
    open.data.refresh_schema().await?;
    for table in own_tables(&open.data) {
        let file = (!table.view).then(|| format!("tables/{}.jsonl", file_name(&table.name, schema.len())));
        let mut rows = None;
        if let Some(file) = &file {
            let written = write_rows(&open.data, &table, |_| true, sink, file, progress).await?;
            rows = Some(written);
            (exported.tables, exported.rows) = (exported.tables + 1, exported.rows + written);
        }
        schema.push(described(&table, file.as_deref(), rows));
    }
    write_json(sink, "tables.json", &json!(schema))?;
    for (name, table, columns) in OWN {
        let Some(table) = open.system.schema().table(table).cloned() else { continue };
        let hashes = with_password_hashes && name == "users";
        let wanted = |column: &str| columns.contains(&column) || (hashes && column == "password");
        let rows = write_rows(&open.system, &table, wanted, sink, &format!("{name}.jsonl"), progress).await?;
        if name == "users" {
            exported.users = rows;
        }
    }
    for name in FILES {
        copy(&record.tenant.folder.join(name), sink, &format!("files/{name}"))?;
    }
    Ok(exported)
}

/// The tenant's own tables and views by name.
fn own_tables(database: &Database) -> Vec<Arc<Table>> {
    let schema = database.schema();
    let mut tables: Vec<_> = schema.tables().filter(|table| !table.is_system()).cloned().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

/// A table's name as the name of a file: bytes that are no letter, digit, hyphen or underscore become `%` and two
/// digits. A table whose name gets too long by that is named by its place in the list.
fn file_name(table: &str, place: usize) -> String {
    let name = table.bytes().fold(String::new(), |mut name, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            // Writing to text does not fail.
            let _ = write!(name, "%{byte:02X}");
        }
        name
    });
    if name.len() <= LONGEST_NAME { name } else { format!("%{place}") }
}

async fn write_rows(
    database: &Database,
    table: &Arc<Table>,
    wanted: impl Fn(&str) -> bool + Send,
    sink: &mut dyn Sink,
    name: &str,
    progress: &mut Progress,
) -> Result<u64> {
    let mut out = BufWriter::new(sink.begin(name)?);
    let rows = transfer::export_columns(database, table, wanted, Format::Jsonl, &mut out, progress).await?;
    sink.finish(name, out.into_inner().map_err(IntoInnerError::into_error).map_err(io(name))?)?;
    Ok(rows)
}

fn write_json(sink: &mut dyn Sink, name: &str, value: &Json) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    let mut file = sink.begin(name)?;
    file.write_all(&text).map_err(io(name))?;
    sink.finish(name, file)
}

/// Copies a file or a folder, where there is one. Links are left out: they may lead out of the tenant's folder.
fn copy(from: &Path, sink: &mut dyn Sink, name: &str) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(from) else { return Ok(()) };
    if metadata.is_dir() {
        let entries = fs::read_dir(from).map_err(io(from.display()))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<std::io::Result<Vec<_>>>();
        let mut names = names.map_err(io(from.display()))?;
        names.sort_unstable();
        for entry in names {
            copy(&from.join(&entry), sink, &format!("{name}/{}", entry.to_string_lossy()))?;
        }
    } else if metadata.is_file() {
        let mut source = File::open(from).map_err(io(from.display()))?;
        let mut file = sink.begin(name)?;
        std::io::copy(&mut source, &mut file).map_err(io(name))?;
        sink.finish(name, file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn any_table_has_a_file_of_its_own_in_the_folder() {
        assert_eq!(file_name("order_lines", 0), "order_lines");
        assert_eq!(file_name("../a b%", 0), "%2E%2E%2Fa%20b%25");
        assert_eq!(file_name("größe", 0), "gr%C3%B6%C3%9Fe");
        assert_eq!(file_name(&"ö".repeat(100), 7), "%7");
    }
}
