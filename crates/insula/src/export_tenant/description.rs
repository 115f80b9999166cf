//! What an export says about the tenant and its tables, for those who make them elsewhere.

use kernel::{TenantStatus, time};
use serde_json::{Value as Json, json};
use store::{Kind, OpenTenant, Table, TenantRecord};

/// What the tenant is.
pub(super) fn about(record: &TenantRecord, open: &OpenTenant) -> Json {
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

/// What a table is, for those who make it elsewhere.
pub(super) fn described(table: &Table, file: Option<&str>, rows: Option<u64>) -> Json {
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
