//! The definitions of identity's tables, and the groups that every tenant begins with.

use sea_query::{Alias, ForeignKeyAction, Index, TableCreateStatement};
use store::{Ddl, Migration};

use super::{
    groups::GROUPS,
    keys::KEYS,
    sessions::SESSIONS,
    users::{COUNTERS, USERS},
};

/// The steps of identity's tables.
pub const MIGRATIONS: &[Migration] = &[Migration {
    feature: crate::NAME,
    number: 1,
    name: "users, groups, sessions and signing keys",
    statements: |ddl| {
        let tables = [groups(ddl), users(ddl), sessions(ddl), keys(ddl), counters(ddl)];
        let mut statements: Vec<_> = tables.into_iter().map(|mut table| ddl.sql(table.if_not_exists())).collect();
        statements.extend(BUILT_IN.map(built_in));
        statements.push(seed(COUNTERS, "name, value", "'users', 0", "name = 'users'"));
        statements
    },
}];

/// Name, power, table rules, whether batches are allowed, and what for.
type BuiltIn = (&'static str, u8, &'static str, bool, &'static str);

const BUILT_IN: [BuiltIn; 5] = [
    ("anonymous", 1, "[]", false, "Whoever shows a publishable key alone."),
    ("users", 10, "[]", true, "Whoever registered."),
    ("publishers", 40, "[]", true, "Whoever writes what others read."),
    ("moderators", 70, "[]", true, "Whoever keeps order among users."),
    ("administrators", 100, r#"["*:rwa"]"#, true, "Whoever may do everything."),
];

fn built_in((name, power, rules, batches, description): BuiltIn) -> String {
    seed(
        GROUPS,
        "name, power, permissions, advanced_rules, abilities, allow_batch_operations, user_settings_access, description",
        &format!("'{name}', {power}, '{rules}', '[]', '[]', {batches}, 'read-write-own', '{description}'"),
        &format!("name = '{name}'"),
    )
}

/// Inserts a row unless it is there, in words that are the same on all three databases, so that an interrupted step
/// can run again. All of it is fixed text.
fn seed(table: &str, columns: &str, values: &str, same: &str) -> String {
    format!(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM (SELECT 1 AS one) AS seed \
         WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same})"
    )
}

fn groups(ddl: &Ddl) -> TableCreateStatement {
    ddl.create(
        GROUPS,
        [
            ddl.serial("id"),
            ddl.text("name", 64).not_null().unique_key().take(),
            ddl.bigint("power").not_null().take(),
            ddl.json("permissions").not_null().take(),
            ddl.json("advanced_rules").not_null().take(),
            ddl.json("abilities").not_null().take(),
            ddl.bigint("max_limit"),
            ddl.bigint("max_where_conditions"),
            ddl.bigint("session_timeout_minutes"),
            ddl.bigint("max_concurrent_sessions"),
            ddl.boolean("allow_batch_operations").not_null().take(),
            ddl.text("user_settings_access", 32).not_null().take(),
            ddl.text("description", 500),
        ],
    )
}

fn users(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        USERS,
        [
            ddl.uuid("id").not_null().primary_key().take(),
            ddl.bigint("number").not_null().unique_key().take(),
            ddl.text("username", 64).not_null().take(),
            ddl.text("username_key", 64).not_null().unique_key().take(),
            ddl.text("email", 254),
            ddl.text("email_key", 254).unique_key().take(),
            ddl.text("name", 200).not_null().take(),
            ddl.text("password", 255),
            ddl.text("pin_code", 255),
            ddl.text("login_string", 255).unique_key().take(),
            ddl.bigint("group_id").not_null().take(),
            ddl.text("status", 16).not_null().take(),
            ddl.timestamp("email_verified_at"),
            ddl.json("preferences"),
            ddl.json("toolkit_overrides"),
            ddl.timestamp("created_at"),
            ddl.bigint("created_by"),
            ddl.timestamp("last_modified_at"),
            ddl.bigint("last_modified_by"),
            ddl.bigint("pinned_to"),
        ],
    );
    table.foreign_key(&mut ddl.reference(USERS, "group_id", GROUPS, ForeignKeyAction::NoAction));
    // Rules of one's own group look users up by group and number.
    table.index(Index::create().name("_users_group").unique().col(Alias::new("group_id")).col(Alias::new("number")));
    table
}

fn sessions(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        SESSIONS,
        [
            ddl.uuid("id").not_null().primary_key().take(),
            ddl.text("token_hash", 64).not_null().unique_key().take(),
            ddl.uuid("user_id").not_null().take(),
            ddl.timestamp("created_at"),
            ddl.timestamp("last_accessed"),
            ddl.timestamp("expires_at"),
            ddl.text("ip", 45),
            ddl.text("user_agent", 256),
        ],
    );
    table.foreign_key(&mut ddl.reference(SESSIONS, "user_id", USERS, ForeignKeyAction::Cascade));
    // Keys, because those may be defined inside a table, where running twice does no harm.
    let key = |name: &str, column: &'static str| {
        Index::create().name(name).unique().col(Alias::new(column)).col(Alias::new("id")).take()
    };
    table.index(&mut key("_sessions_user", "user_id")).index(&mut key("_sessions_expiry", "expires_at"));
    table
}

fn keys(ddl: &Ddl) -> TableCreateStatement {
    ddl.create(
        KEYS,
        [
            ddl.text("kid", 64).not_null().primary_key().take(),
            ddl.text("algorithm", 16).not_null().take(),
            ddl.text("public", 200).not_null().take(),
            ddl.long_text("private").not_null().take(),
            ddl.timestamp("created_at"),
            ddl.timestamp("retired_at"),
        ],
    )
}

fn counters(ddl: &Ddl) -> TableCreateStatement {
    ddl.create(COUNTERS, [ddl.text("name", 64).not_null().primary_key().take(), ddl.bigint("value").not_null().take()])
}
