//! The definitions of identity's tables, and the groups that every tenant begins with.

use sea_query::{Alias, ForeignKeyAction, Index, TableCreateStatement};
use store::{Ddl, Migration};

use super::{
    groups::GROUPS,
    imported_secrets::IMPORTED_SECRETS,
    keys::KEYS,
    sessions::SESSIONS,
    users::{COUNTERS, USERS},
    webhook_tokens::WEBHOOK_TOKENS,
};

/// The steps of identity's tables.
pub const MIGRATIONS: &[Migration] = &[FIRST, WHOLE];

/// The columns that hold sealed values.
pub const SEALED: &[(&str, &str)] = &[
    (KEYS, "private"),
    ("_second_factors", "secret"),
    ("_link_attempts", "verifier"),
    ("_link_attempts", "nonce"),
    ("_linked_accounts", "access_token"),
    ("_linked_accounts", "refresh_token"),
    (IMPORTED_SECRETS, "value"),
];

const FIRST: Migration = Migration {
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
};

const WHOLE: Migration = Migration {
    feature: crate::NAME,
    number: 2,
    name: "refresh tokens, profiles, second factors, linked accounts and API keys",
    statements: |ddl| {
        let mut statements = vec![
            ddl.add_column(SESSIONS, ddl.text("method", 16)),
            ddl.add_column(SESSIONS, ddl.bigint("generation").not_null().default(0).take()),
            ddl.add_column(SESSIONS, ddl.timestamp("renewed_at")),
            ddl.add_column(SESSIONS, ddl.timestamp("refresh_until")),
        ];
        let tables = [
            profiles(ddl),
            one_time_tokens(ddl),
            second_factors(ddl),
            recovery_codes(ddl),
            linked_accounts(ddl),
            link_attempts(ddl),
            api_keys(ddl),
            webhook_tokens(ddl),
            imported_secrets(ddl),
        ];
        statements.extend(tables.into_iter().map(|mut table| ddl.sql(table.if_not_exists())));
        statements
    },
};

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

/// What a user tells others; a row with the user.
fn profiles(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_profiles",
        [
            ddl.uuid("user_id").not_null().primary_key().take(),
            ddl.text("phone", 40),
            ddl.text("last", 200),
            ddl.text("avatar", 500),
            ddl.text("github", 100),
            ddl.text("instagram", 100),
            ddl.text("bio", 2_000),
            ddl.text("theme", 8),
        ],
    );
    table.foreign_key(&mut of_user(ddl, "_profiles"));
    table
}

/// Tokens that are sent by mail: only their hashes.
fn one_time_tokens(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_one_time_tokens",
        [
            ddl.text("token_hash", 64).not_null().primary_key().take(),
            ddl.text("purpose", 16).not_null().take(),
            ddl.uuid("user_id").not_null().take(),
            // The address that the token confirms.
            ddl.text("email", 254),
            ddl.timestamp("created_at"),
            ddl.timestamp("expires_at"),
        ],
    );
    // One of a kind a user: a newer one replaces the older.
    table.index(&mut key("_one_time_tokens_user", ["user_id", "purpose"]));
    table.foreign_key(&mut of_user(ddl, "_one_time_tokens"));
    table
}

fn second_factors(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_second_factors",
        [
            ddl.uuid("user_id").not_null().primary_key().take(),
            ddl.long_text("secret").not_null().take(),
            ddl.timestamp("created_at"),
            // Until then it was only begun.
            ddl.timestamp("confirmed_at"),
            // The time step of the last code that was taken; no code is taken twice.
            ddl.bigint("last_step"),
        ],
    );
    table.foreign_key(&mut of_user(ddl, "_second_factors"));
    table
}

fn recovery_codes(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_recovery_codes",
        [
            ddl.text("code_hash", 64).not_null().primary_key().take(),
            ddl.uuid("user_id").not_null().take(),
            ddl.timestamp("used_at"),
        ],
    );
    table.index(&mut key("_recovery_codes_user", ["user_id", "code_hash"]));
    table.foreign_key(&mut of_user(ddl, "_recovery_codes"));
    table
}

fn linked_accounts(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_linked_accounts",
        [
            ddl.uuid("id").not_null().primary_key().take(),
            ddl.text("provider", 32).not_null().take(),
            ddl.text("subject", 255).not_null().take(),
            ddl.uuid("user_id").not_null().take(),
            ddl.text("email", 254),
            ddl.text("name", 200),
            ddl.long_text("access_token"),
            ddl.long_text("refresh_token"),
            ddl.timestamp("token_expires_at"),
            ddl.timestamp("linked_at"),
            ddl.timestamp("last_used_at"),
        ],
    );
    table.index(&mut key("_linked_accounts_subject", ["provider", "subject"]));
    table.index(&mut key("_linked_accounts_user", ["user_id", "provider"]));
    table.foreign_key(&mut of_user(ddl, "_linked_accounts"));
    table
}

/// Journeys to an outside provider that have begun.
fn link_attempts(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_link_attempts",
        [
            ddl.text("state_hash", 64).not_null().primary_key().take(),
            ddl.text("provider", 32).not_null().take(),
            // Who links; none for a log in.
            ddl.uuid("user_id"),
            ddl.long_text("verifier").not_null().take(),
            ddl.long_text("nonce"),
            ddl.text("redirect_to", 500),
            // What binds the journey to the browser that began it, hashed.
            ddl.text("browser_hash", 64),
            ddl.timestamp("expires_at"),
        ],
    );
    table.index(&mut key("_link_attempts_expiry", ["expires_at", "state_hash"]));
    table.foreign_key(&mut of_user(ddl, "_link_attempts"));
    table
}

fn api_keys(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "_api_keys",
        [
            ddl.text("id", 64).not_null().primary_key().take(),
            ddl.text("kind", 8).not_null().take(),
            ddl.text("name", 100).not_null().take(),
            ddl.text("prefix", 40).not_null().take(),
            ddl.text("last_four", 4).not_null().take(),
            // The keyed hash of the whole key.
            ddl.text("mac", 64).not_null().take(),
            // Who made it; whom a personal key acts as.
            ddl.uuid("user_id").not_null().take(),
            // The group that a server key or a publishable key acts as.
            ddl.bigint("group_id"),
            ddl.json("scopes").not_null().take(),
            ddl.json("addresses").not_null().take(),
            ddl.json("origins").not_null().take(),
            ddl.text("rate_class", 32),
            ddl.timestamp("created_at"),
            ddl.timestamp("expires_at"),
            ddl.timestamp("last_used_at"),
            ddl.timestamp("revoked_at"),
            ddl.text("rotated_from", 64),
            ddl.timestamp("rotated_at"),
            // Where an imported key came from.
            ddl.text("imported_from", 255),
        ],
    );
    table.index(&mut key("_api_keys_user", ["user_id", "id"]));
    table.index(&mut key("_api_keys_import", ["imported_from", "id"]));
    // Imported keys do not tell their ids, and importing again changes nothing.
    table.index(&mut key("_api_keys_mac", ["mac"]));
    table.foreign_key(&mut of_user(ddl, "_api_keys"));
    table.foreign_key(&mut ddl.reference("_api_keys", "group_id", GROUPS, ForeignKeyAction::SetNull));
    table
}

fn webhook_tokens(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        WEBHOOK_TOKENS,
        [
            ddl.uuid("id").not_null().primary_key().take(),
            ddl.uuid("user_id").not_null().take(),
            ddl.text("name", 100).not_null().take(),
            // The signing key, which must verify as long as the token is good.
            ddl.text("kid", 64).not_null().take(),
            ddl.timestamp("created_at"),
            ddl.timestamp("expires_at"),
            ddl.timestamp("last_used_at"),
            ddl.timestamp("revoked_at"),
        ],
    );
    table.index(&mut key("_webhook_tokens_user", ["user_id", "id"]));
    table.index(&mut key("_webhook_tokens_key", ["kid", "id"]));
    table.foreign_key(&mut of_user(ddl, WEBHOOK_TOKENS));
    table
}

/// Secrets of outside services that lay in the clear among keys of another back end.
fn imported_secrets(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        IMPORTED_SECRETS,
        [
            ddl.uuid("id").not_null().primary_key().take(),
            ddl.text("provider", 32).not_null().take(),
            ddl.text("imported_from", 255).not_null().take(),
            // The keyed hash of the secret, so that importing again changes nothing.
            ddl.text("mac", 64).not_null().unique_key().take(),
            ddl.long_text("value").not_null().take(),
            ddl.timestamp("created_at"),
        ],
    );
    table.index(&mut key("_imported_secrets_import", ["imported_from", "id"]));
    table
}

fn of_user(ddl: &Ddl, table: &str) -> sea_query::ForeignKeyCreateStatement {
    ddl.reference(table, "user_id", USERS, ForeignKeyAction::Cascade)
}

/// A unique key, because those may be defined inside a table, where running twice does no harm.
fn key<const N: usize>(name: &str, columns: [&'static str; N]) -> sea_query::IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).unique();
    for column in columns {
        index.col(Alias::new(column));
    }
    index.take()
}
