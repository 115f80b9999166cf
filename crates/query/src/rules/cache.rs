//! Rules kept in memory: a book a tenant, a compilation a group and table.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
};

use arc_swap::ArcSwap;
use kernel::{Error, Group, Reason, Result, Soon, Tenant, TenantId, soon, toolkits::ToolkitTerms};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use store::{Schema, Table};

use super::{GroupRules, RowRule, RuleBook, TableAccess, book::broken, canonical_table};
use crate::compile::plan::{InsertPlan, Plan};

/// Compilations that are kept for a tenant; at one more they are all forgotten.
const MOST_VARIANTS: usize = 1_000;
/// Compiled statements that are kept for a group; at one more they are all forgotten.
const MOST_PLANS: usize = 200;
/// Bytes of the largest shape that is kept.
const LARGEST_SHAPE: usize = 2_000;

/// The rules of all tenants that were asked for lately.
pub struct Rules(Cache<TenantId, Arc<TenantRules>>);

/// The rules of one tenant.
pub struct TenantRules {
    book: ArcSwap<RuleBook>,
    variants: Mutex<HashMap<Variant, Arc<Rights>>>,
    places: RandomState,
}

/// Which compilation: groups with places in toolkits share the id of the group without.
#[derive(PartialEq, Eq, Hash)]
struct Variant {
    group: i64,
    /// A hash of what tells groups of one id apart. If two had the same, each would take the other's place.
    places: u64,
}

/// What a group may do, compiled table by table as it is asked for, and from what.
pub(crate) struct Rights {
    /// The group with what its places in toolkits add.
    pub(crate) group: Arc<Group>,
    schema: Arc<Schema>,
    terms: Arc<dyn ToolkitTerms>,
    book: Arc<RuleBook>,
    pub(crate) codes: GroupRules,
    tables: Mutex<HashMap<String, Arc<TableAccess>>>,
    /// Statements by their shape.
    plans: Mutex<HashMap<Box<[u8]>, Kept>>,
}

/// A compiled statement.
#[derive(Clone)]
pub(crate) enum Kept {
    Read(Arc<Plan>),
    Insert(Arc<InsertPlan>),
}

impl Rules {
    /// Keeps the rules of at most so many tenants.
    pub fn new(tenants: u64) -> Self {
        Self(Cache::new(tenants as usize))
    }

    /// The rules of a tenant, read at the first request for it. Errors: 503 `config_broken` where their file is broken,
    /// which the log tells.
    pub fn of<'a>(&'a self, tenant: &'a Tenant) -> Soon<'a, Result<Arc<TenantRules>>> {
        match self.0.get(&tenant.id) {
            Some(rules) => soon::now(Ok(rules)),
            None => soon::later(async {
                let book = RuleBook::load(&tenant.folder).await.map_err(at_first)?;
                let rules = Arc::new(TenantRules::new(book));
                self.0.insert(tenant.id, Arc::clone(&rules));
                Ok(rules)
            }),
        }
    }

    /// Reads a tenant's rules anew and puts them in force as a whole. A mistake leaves the old ones. Tells how many
    /// rules there are.
    pub async fn reload(&self, tenant: &Tenant, schema: &Schema) -> Result<usize> {
        let book = RuleBook::load(&tenant.folder).await?;
        check(&book, schema)?;
        let count = book.rules.len();
        if let Some(rules) = self.0.get(&tenant.id) {
            rules.book.store(Arc::new(book));
        } else {
            self.0.insert(tenant.id, Arc::new(TenantRules::new(book)));
        }
        Ok(count)
    }
}

/// There are no old rules that could stay in force. Callers learn no more than whom to ask.
fn at_first(mistake: Error) -> Error {
    let message = "This tenant's rules.toml is broken; the server's log names the line";
    Error::new(Reason::ConfigBroken, message).because(mistake)
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
    fn new(book: RuleBook) -> Self {
        Self { book: ArcSwap::from_pointee(book), variants: Mutex::default(), places: RandomState::new() }
    }

    /// What a group may do, begun anew where the group, the schema, the book or the toolkits have changed.
    pub(crate) fn rights(
        &self,
        group: &Arc<Group>,
        schema: &Arc<Schema>,
        terms: &Arc<dyn ToolkitTerms>,
    ) -> Arc<Rights> {
        let book = self.book.load();
        let variant = self.variant(group);
        let mut variants = self.variants.lock();
        if let Some(known) = variants.get(&variant)
            && (Arc::ptr_eq(&known.group, group) || known.group == *group)
            && Arc::ptr_eq(&known.schema, schema)
            && Arc::ptr_eq(&known.terms, terms)
            && Arc::ptr_eq(&known.book, &book)
        {
            return Arc::clone(known);
        }
        let rights = Arc::new(Rights {
            group: Arc::clone(group),
            schema: Arc::clone(schema),
            terms: Arc::clone(terms),
            book: Arc::clone(&book),
            codes: GroupRules::read(group),
            tables: Mutex::default(),
            plans: Mutex::default(),
        });
        if variants.len() >= MOST_VARIANTS && !variants.contains_key(&variant) {
            variants.clear();
        }
        variants.insert(variant, Arc::clone(&rights));
        rights
    }

    fn variant(&self, group: &Group) -> Variant {
        let places = if group.is_toolkit() {
            self.places.hash_one(&group.name)
        } else if group.toolkits.is_empty() {
            0
        } else {
            let mut hasher = self.places.build_hasher();
            group.toolkits.iter().for_each(|place| (&place.toolkit, &place.group).hash(&mut hasher));
            hasher.finish()
        };
        Variant { group: group.id, places }
    }
}

impl Rights {
    /// What the group may do with a table.
    pub(crate) fn table(&self, table: &Arc<Table>) -> Arc<TableAccess> {
        if let Some(known) = self.tables.lock().get(&table.name) {
            return Arc::clone(known);
        }
        let said = self.terms.table(&table.name).filter(|_| !table.is_system());
        let access = TableAccess::compile(&self.group, &self.codes, &self.book, table, &self.schema, said);
        let access = Arc::new(access);
        self.tables.lock().insert(table.name.clone(), Arc::clone(&access));
        access
    }

    /// The statement of a shape, if it was compiled before.
    pub(crate) fn plan(&self, shape: &[u8]) -> Option<Kept> {
        self.plans.lock().get(shape).cloned()
    }

    /// Keeps a compiled statement. Callers choose the shapes, so that there is an end to how many and how large.
    pub(crate) fn keep_plan(&self, shape: Vec<u8>, plan: Kept) {
        if shape.len() > LARGEST_SHAPE {
            return;
        }
        let mut plans = self.plans.lock();
        if plans.len() >= MOST_PLANS {
            plans.clear();
        }
        plans.insert(shape.into(), plan);
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
