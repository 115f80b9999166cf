//! Export of a whole tenant: what its owner may carry away, in an open form and without secrets.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{BufWriter, IntoInnerError, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{TenantStatus, time};
use serde::Serialize;
use serde_json::{Value as Json, json};
use store::{Database, Kind, OpenTenant, Table, TenantRecord};

use crate::{
    failure::{Failure, Result, io},
    transfer::{self, Format, Progress},
};

/// What of a tenant's folder belongs to its owner. Settings are not among it, since they may hold secrets.
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
#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Tables of the tenant, views not counted.
    pub(crate) tables: u64,
    /// Their rows.
    pub(crate) rows: u64,
    /// The tenant's users.
    pub(crate) users: u64,
}

/// Writes a tenant to a folder that does not exist yet, and that appears whole or not at all. What others change
/// meanwhile may be there in either state.
///
/// Errors: [`Failure::Usage`] where there is something at the folder's place.
pub(crate) async fn export_tenant(
    record: Arc<TenantRecord>,
    open: Arc<OpenTenant>,
    to: PathBuf,
    with_password_hashes: bool,
    mut progress: Progress,
) -> Result<Exported> {
    // Files are written where that may block.
    let runtime = tokio::runtime::Handle::current();
    let work = move || runtime.block_on(write(&record, &open, &to, with_password_hashes, &mut progress));
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Other(error.to_string()))?
}

async fn write(
    record: &TenantRecord,
    open: &OpenTenant,
    to: &Path,
    with_password_hashes: bool,
    progress: &mut Progress,
) -> Result<Exported> {
    if to.exists() {
        return Err(Failure::Usage(format!("{} is there already; name a folder that is not", to.display())));
    }
    let beside = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Temporary folders have mode 0700.
    let unfinished = tempfile::Builder::new().prefix(".insula-export-").tempdir_in(beside).map_err(io(to.display()))?;
    let folder = unfinished.path();
    write_json(&folder.join("tenant.json"), &about(record, open))?;
    make_folder(&folder.join("tables"))?;
    let mut schema = Vec::new();
    let mut exported = Exported { folder: to.to_owned(), tables: 0, rows: 0, users: 0 };
    open.data.refresh_schema().await?;
    for table in own_tables(&open.data) {
        let file = (!table.view).then(|| format!("tables/{}.jsonl", file_name(&table.name, schema.len())));
        let mut rows = None;
        if let Some(file) = &file {
            let written = write_rows(&open.data, &table, |_| true, &folder.join(file), progress).await?;
            rows = Some(written);
            (exported.tables, exported.rows) = (exported.tables + 1, exported.rows + written);
        }
        schema.push(described(&table, file.as_deref(), rows));
    }
    write_json(&folder.join("tables.json"), &json!(schema))?;
    for (name, table, columns) in OWN {
        let Some(table) = open.system.schema().table(table).cloned() else { continue };
        let hashes = with_password_hashes && name == "users";
        let wanted = |column: &str| columns.contains(&column) || (hashes && column == "password");
        let rows = write_rows(&open.system, &table, wanted, &folder.join(format!("{name}.jsonl")), progress).await?;
        if name == "users" {
            exported.users = rows;
        }
    }
    for name in FILES {
        copy(&record.tenant.folder.join(name), &folder.join("files").join(name))?;
    }
    fs::rename(folder, to).map_err(io(to.display()))?;
    // What is gone from its place cannot be removed there.
    let _ = unfinished.keep();
    Ok(exported)
}

fn about(record: &TenantRecord, open: &OpenTenant) -> Json {
    let tenant = &record.tenant;
    json!({
        "id": tenant.id,
        "number": record.number,
        "name": tenant.name,
        "domain": tenant.domain,
        "status": match tenant.status {
            TenantStatus::Active => "active",
            TenantStatus::Suspended => "suspended",
        },
        "cors_origins": tenant.cors_origins,
        "created_at": time::rfc3339(record.created_at),
        "database": open.data.dialect().word(),
        "insula_version": env!("CARGO_PKG_VERSION"),
        "exported_at": time::rfc3339(time::now()),
    })
}

/// The tenant's own tables and views by name.
fn own_tables(database: &Database) -> Vec<Arc<Table>> {
    let schema = database.schema();
    let mut tables: Vec<_> = schema.tables().filter(|table| !table.is_system()).cloned().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

/// What a table is, for those who make it elsewhere.
fn described(table: &Table, file: Option<&str>, rows: Option<u64>) -> Json {
    let names = |positions: &[usize]| positions.iter().map(|at| table.columns[*at].name.clone()).collect::<Vec<_>>();
    let columns = table.columns.iter().map(|column| {
        let mut about = json!({ "name": column.name, "type": kind(&column.kind), "nullable": column.nullable });
        if column.has_default {
            about["has_default"] = true.into();
        }
        if column.generated {
            about["generated"] = true.into();
        }
        about
    });
    let mut unique: Vec<_> = table.unique.values().collect();
    unique.sort_unstable();
    json!({
        "name": table.name,
        "view": table.view,
        "file": file,
        "rows": rows,
        "key": names(&table.key),
        "unique": unique,
        "columns": columns.collect::<Vec<_>>(),
    })
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Bool => json!({ "kind": "boolean" }),
        Kind::Int { min, max } => json!({ "kind": "integer", "min": min, "max": max }),
        Kind::BigUnsigned => json!({ "kind": "integer", "min": 0, "max": u64::MAX }),
        Kind::Decimal { precision, scale } => json!({ "kind": "decimal", "precision": precision, "scale": scale }),
        Kind::Float => json!({ "kind": "float" }),
        Kind::Text { max } => json!({ "kind": "text", "max": max }),
        Kind::Enum(words) => json!({ "kind": "enum", "words": &**words }),
        Kind::Bytes => json!({ "kind": "bytes", "in_json": "base64" }),
        Kind::Date => json!({ "kind": "date" }),
        Kind::DateTime => json!({ "kind": "datetime" }),
        Kind::Timestamp => json!({ "kind": "timestamp" }),
        Kind::Time => json!({ "kind": "time" }),
        Kind::Json => json!({ "kind": "json" }),
        Kind::Uuid => json!({ "kind": "uuid" }),
        Kind::Bit { width } => json!({ "kind": "bits", "width": width }),
        Kind::Other => json!({ "kind": "other" }),
    }
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
    file: &Path,
    progress: &mut Progress,
) -> Result<u64> {
    let mut out = BufWriter::new(make_file(file)?);
    let rows = transfer::export_columns(database, table, wanted, Format::Jsonl, &mut out, progress).await?;
    out.into_inner()
        .map_err(IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(io(file.display()))?;
    Ok(rows)
}

fn write_json(file: &Path, value: &Json) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    make_file(file)?.write_all(&text).map_err(io(file.display()))
}

fn make_file(path: &Path) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io(path.display()))
}

fn make_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path.display()))
}

/// Copies a file or a folder, where there is one. Links are left out: they may lead out of the tenant's folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(from) else { return Ok(()) };
    if metadata.is_dir() {
        make_folder(to)?;
        for entry in fs::read_dir(from).map_err(io(from.display()))? {
            let name = entry.map_err(io(from.display()))?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
    } else if metadata.is_file() {
        if let Some(folder) = to.parent() {
            make_folder(folder)?;
        }
        let mut source = File::open(from).map_err(io(from.display()))?;
        std::io::copy(&mut source, &mut make_file(to)?).map_err(io(to.display()))?;
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
