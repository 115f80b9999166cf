//! The demonstration's tables: the inventory of a school's equipment desk.

use sea_query::{ColumnDef, Expr, ForeignKeyAction, TableCreateStatement};
use store::{Database, Ddl, Dialect};

/// What an administrator may change of who owns and changed a row.
const SYSTEM: [&str; 3] = ["created_by", "last_modified_by", "pinned_to"];

/// The definitions as an SQL script for a database.
pub(super) fn script(database: &Database) -> String {
    let ddl = database.ddl();
    let now = match database.dialect() {
        Dialect::Mariadb => "CURRENT_TIMESTAMP(6)",
        Dialect::Sqlite | Dialect::Postgres => "CURRENT_TIMESTAMP",
    };
    let mut statements: Vec<String> =
        [people(&ddl), categories(&ddl), locations(&ddl), assets(&ddl, now), loans(&ddl, now), maintenance(&ddl, now)]
            .iter()
            .map(|table| ddl.sql(table))
            .collect();
    for (table, column) in [
        ("assets", "category_id"),
        ("assets", "location_id"),
        ("assets", "pinned_to"),
        ("loans", "asset_id"),
        ("loans", "person_id"),
        ("loans", "pinned_to"),
        ("loans", "due_on"),
        ("maintenance", "asset_id"),
    ] {
        statements.push(format!("CREATE INDEX {table}_{column} ON {table} ({column})"));
    }
    statements.join(";\n") + ";\n"
}

/// Their names.
pub(super) const NAMES: [&str; 6] = ["assets", "categories", "loans", "locations", "maintenance", "people"];

fn required(mut column: ColumnDef) -> ColumnDef {
    column.not_null().take()
}

fn refer(ddl: &Ddl, table: &mut TableCreateStatement, name: &str, column: &'static str, target: &str) {
    table.foreign_key(&mut ddl.reference(name, column, target, ForeignKeyAction::NoAction));
}

fn add_system_columns(ddl: &Ddl, table: &mut TableCreateStatement, now: &'static str) {
    table.col(ddl.timestamp("created_at").default(Expr::cust(now)).take()).col(ddl.timestamp("last_modified_at"));
    for name in SYSTEM {
        table.col(ddl.bigint(name));
    }
}

fn people(ddl: &Ddl) -> TableCreateStatement {
    ddl.create(
        "people",
        [
            ddl.serial("id"),
            required(ddl.text("name", 120)),
            ddl.text("email", 200).unique_key().take(),
            required(ddl.text("card", 20)).unique_key().take(),
            required(ddl.text("kind", 20)),
            ddl.text("class", 10),
            required(ddl.date("joined_on")),
            required(ddl.boolean("active")),
        ],
    )
}

fn categories(ddl: &Ddl) -> TableCreateStatement {
    let mut table = ddl.create(
        "categories",
        [ddl.serial("id"), ddl.bigint("parent_id"), required(ddl.text("name", 80)).unique_key().take()],
    );
    refer(ddl, &mut table, "categories", "parent_id", "categories");
    table
}

fn locations(ddl: &Ddl) -> TableCreateStatement {
    ddl.create(
        "locations",
        [
            ddl.serial("id"),
            required(ddl.text("building", 60)),
            required(ddl.bigint("floor")),
            required(ddl.text("room", 20)).unique_key().take(),
            required(ddl.text("name", 80)),
        ],
    )
}

fn assets(ddl: &Ddl, now: &'static str) -> TableCreateStatement {
    let mut table = ddl.create(
        "assets",
        [
            ddl.serial("id"),
            required(ddl.text("tag", 20)).unique_key().take(),
            required(ddl.text("name", 120)),
            required(ddl.bigint("category_id")),
            required(ddl.bigint("location_id")),
            ddl.decimal("price", 10, 2),
            required(ddl.date("purchased_on")),
            ddl.date("warranty_until"),
            required(ddl.text("condition", 20)),
            required(ddl.boolean("is_loanable")),
            ddl.json("attributes"),
        ],
    );
    add_system_columns(ddl, &mut table, now);
    refer(ddl, &mut table, "assets", "category_id", "categories");
    refer(ddl, &mut table, "assets", "location_id", "locations");
    table
}

fn loans(ddl: &Ddl, now: &'static str) -> TableCreateStatement {
    let mut table = ddl.create(
        "loans",
        [
            ddl.serial("id"),
            required(ddl.bigint("asset_id")),
            required(ddl.bigint("person_id")),
            required(ddl.timestamp("borrowed_at").default(Expr::cust(now)).take()),
            required(ddl.date("due_on")),
            ddl.timestamp("returned_at"),
            ddl.decimal("fee", 8, 2),
            ddl.long_text("note"),
        ],
    );
    add_system_columns(ddl, &mut table, now);
    refer(ddl, &mut table, "loans", "asset_id", "assets");
    refer(ddl, &mut table, "loans", "person_id", "people");
    table
}

fn maintenance(ddl: &Ddl, now: &'static str) -> TableCreateStatement {
    let mut table = ddl.create(
        "maintenance",
        [
            ddl.serial("id"),
            required(ddl.bigint("asset_id")),
            required(ddl.text("kind", 20)),
            required(ddl.date("done_on")),
            ddl.decimal("cost", 8, 2),
            ddl.long_text("description"),
        ],
    );
    add_system_columns(ddl, &mut table, now);
    refer(ddl, &mut table, "maintenance", "asset_id", "assets");
    table
}
