//! The tables of the control database.

use super::sealed::{FeatureTables, SealedColumn};
use crate::Migration;

pub(super) const TENANTS: &str = "_tenants";
/// Notes of tenants that were removed, and by whom.
pub(super) const DELETED: &str = "_deleted_tenants";
/// One row: the id of the installation's key under which the keys of all tenants are wrapped.
pub(super) const MASTER_KEY: &str = "_master_key";

pub(super) const WRAPPED_KEY: &str = "wrapped_key";
/// The columns of [`TENANTS`] in the order in which they are read.
pub(super) const COLUMNS: [&str; 12] = [
    "id",
    "number",
    "name",
    "domain",
    "status",
    WRAPPED_KEY,
    "cors_origins",
    "database_url",
    "system_url",
    "adopted",
    "created_at",
    "home",
];

/// The control database's own tables and those of features.
pub(super) fn with(features: FeatureTables) -> FeatureTables {
    let sealed = [WRAPPED_KEY, "database_url", "system_url"].map(|column| SealedColumn { table: TENANTS, column });
    FeatureTables {
        migrations: [vec![FIRST, SECOND], features.migrations].concat(),
        sealed: [sealed.to_vec(), features.sealed].concat(),
    }
}

const FIRST: Migration = Migration {
    feature: "control",
    number: 1,
    name: "tenants",
    statements: |ddl| {
        let mut tenants = ddl.create(
            TENANTS,
            [
                ddl.uuid("id").not_null().primary_key().take(),
                ddl.bigint("number").not_null().unique_key().take(),
                ddl.text("name", 40).not_null().unique_key().take(),
                ddl.text("domain", 200).unique_key().take(),
                ddl.text("status", 16).not_null().take(),
                ddl.long_text("wrapped_key"),
                ddl.long_text("cors_origins").not_null().take(),
                ddl.long_text("database_url"),
                ddl.long_text("system_url"),
                ddl.boolean("adopted").not_null().take(),
                ddl.timestamp("created_at"),
                ddl.text("home", 500).not_null().take(),
            ],
        );
        let mut deleted = ddl.create(
            DELETED,
            [ddl.uuid("id").not_null().primary_key().take(), ddl.text("name", 40), ddl.timestamp("deleted_at")],
        );
        vec![ddl.sql(tenants.if_not_exists()), ddl.sql(deleted.if_not_exists())]
    },
};

const SECOND: Migration = Migration {
    feature: "control",
    number: 2,
    name: "master key and authors of deletions",
    statements: |ddl| {
        let mut master_key = ddl.create(
            MASTER_KEY,
            [
                ddl.bigint("id").not_null().primary_key().take(),
                ddl.text("key_id", 12).not_null().take(),
                ddl.timestamp("changed_at"),
            ],
        );
        vec![
            ddl.add_column(DELETED, ddl.text("deleted_by", 100)),
            ddl.add_column(DELETED, ddl.text("request_id", 40)),
            ddl.sql(master_key.if_not_exists()),
        ]
    },
};
