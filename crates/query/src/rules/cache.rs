//! Rules kept in memory: a book a tenant, a compilation a group and table.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use kernel::{Error, Group, Result, Tenant, TenantId};
use moka::future::Cache;
use parking_lot::Mutex;
use store::{Schema, Table};

use super::{GroupRules, RowRule, RuleBook, TableAccess, book::broken, canonical_table};

/// The rules of all tenants that were asked for lately.
pub struct Rules(Cache<TenantId, Arc<TenantRules>>);

/// The rules of one tenant.
pub struct TenantRules {
    book: ArcSwap<RuleBook>,
    groups: Mutex<HashMap<i64, Arc<Compiled>>>,
}

/// What was compiled for a group, and from what.
struct Compiled {
    group: Arc<Group>,
    schema: Arc<Schema>,
    book: Arc<RuleBook>,
    codes: GroupRules,
    tables: Mutex<HashMap<String, Arc<TableAccess>>>,
}

impl Rules {
    /// Keeps the rules of at most so many tenants.
    pub fn new(tenants: u64) -> Self {
        Self(Cache::new(tenants))
    }

    /// The rules of a tenant, read at the first request for it.
    pub async fn of(&self, tenant: &Tenant) -> Result<Arc<TenantRules>> {
        if let Some(rules) = self.0.get(&tenant.id).await {
            return Ok(rules);
        }
        let book = RuleBook::load(&tenant.folder).await?;
        let rules = Arc::new(TenantRules { book: ArcSwap::from_pointee(book), groups: Mutex::default() });
        self.0.insert(tenant.id, Arc::clone(&rules)).await;
        Ok(rules)
    }

    /// Reads a tenant's rules anew and puts them in force as a whole. A mistake leaves the old ones. Tells how many
    /// rules there are.
    pub async fn reload(&self, tenant: &Tenant, schema: &Schema) -> Result<usize> {
        let book = RuleBook::load(&tenant.folder).await?;
        check(&book, schema)?;
        let count = book.rules.len();
        if let Some(rules) = self.0.get(&tenant.id).await {
            rules.book.store(Arc::new(book));
        } else {
            let rules = TenantRules { book: ArcSwap::from_pointee(book), groups: Mutex::default() };
            self.0.insert(tenant.id, Arc::new(rules)).await;
        }
        Ok(count)
    }
}

/// Checks every rule against the catalogue.
fn check(book: &RuleBook, schema: &Schema) -> Result<(), Error> {
    for rule in &book.rules {
        let name = canonical_table(&rule.table);
        let table =
            schema.table(name).ok_or_else(|| broken(rule.line, &format!("table: there is no table {name:?}")))?;
        RowRule::compile(rule, table, schema).map_err(|error| broken(rule.line, &error))?;
    }
    Ok(())
}

impl TenantRules {
    /// What a group may do with a table.
    pub fn access(&self, group: &Arc<Group>, schema: &Arc<Schema>, table: &Arc<Table>) -> Arc<TableAccess> {
        let compiled = self.compiled(group, schema);
        if let Some(known) = compiled.tables.lock().get(&table.name) {
            return Arc::clone(known);
        }
        let access = Arc::new(TableAccess::compile(group, &compiled.codes, &compiled.book, table, schema));
        compiled.tables.lock().insert(table.name.clone(), Arc::clone(&access));
        access
    }

    /// Whether any rule of a group asks who is in it.
    pub fn ask_for_members(&self, group: &Arc<Group>, schema: &Arc<Schema>) -> bool {
        self.compiled(group, schema).codes.ask_for_members()
    }

    /// The group's compilation, begun anew where the group, the schema or the book has changed.
    fn compiled(&self, group: &Arc<Group>, schema: &Arc<Schema>) -> Arc<Compiled> {
        let book = self.book.load();
        let mut groups = self.groups.lock();
        if let Some(known) = groups.get(&group.id)
            && (Arc::ptr_eq(&known.group, group) || known.group == *group)
            && Arc::ptr_eq(&known.schema, schema)
            && Arc::ptr_eq(&known.book, &book)
        {
            return Arc::clone(known);
        }
        let compiled = Arc::new(Compiled {
            group: Arc::clone(group),
            schema: Arc::clone(schema),
            book: Arc::clone(&book),
            codes: GroupRules::read(group),
            tables: Mutex::default(),
        });
        groups.insert(group.id, Arc::clone(&compiled));
        compiled
    }
}
