//! What a tenant's toolkits say to the data API.

use std::{hash::Hash, sync::Arc};

use kernel::{
    Group, Principal, ToolkitGroup, ToolkitOverride,
    toolkits::{TableTerms, ToolkitTerms},
};
use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};
use serde_json::{Map, Value, json};

use crate::{
    folder::Files,
    places::{Place, Stored},
    toolkit::Toolkit,
};

/// Groups with places that are kept for a tenant.
const REMEMBERED: u64 = 2_000;
/// Room for so many is taken at once. It is few enough that there is one shard a cache, not one for each processor.
const AT_FIRST: usize = 32;

/// A group as the database has it, and with its places.
type Pair = (Arc<Group>, Arc<Group>);

/// What the toolkits of a tenant say; another value where anything of it changes.
pub(crate) struct Terms {
    pub(crate) files: Arc<Files>,
    pub(crate) stored: Stored,
    /// None where there are no toolkits, as most tenants have none.
    known: Option<Known>,
}

/// Groups with their places.
struct Known {
    /// By group and own overrides.
    callers: Cache<(i64, Arc<[ToolkitOverride]>), Pair>,
    /// By group and places, so that callers with the same have one and the same value.
    variants: Cache<(i64, Vec<(String, String)>), Pair>,
}

impl Known {
    fn new() -> Self {
        Self { callers: cache(), variants: cache() }
    }
}

fn cache<K: Eq + Hash, V: Clone>() -> Cache<K, V> {
    Cache::with(AT_FIRST, REMEMBERED, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl Terms {
    pub(crate) fn new(files: Arc<Files>, stored: Stored) -> Self {
        let known = (!files.toolkits.is_empty()).then(Known::new);
        Self { files, stored, known }
    }

    /// A toolkit of a name that is switched on.
    pub(crate) fn toolkit(&self, name: &str) -> Option<&Arc<Toolkit>> {
        self.files.toolkits.get(name).filter(|toolkit| toolkit.file.enabled)
    }

    /// The place of a caller in a toolkit.
    pub(crate) fn place(&self, toolkit: &Toolkit, principal: &Principal) -> Option<Arc<Place>> {
        self.stored.place(toolkit, principal)
    }

    fn all_places<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = (&'a Toolkit, Arc<Place>)> {
        self.files.toolkits.values().filter_map(|toolkit| Some((&**toolkit, self.place(toolkit, principal)?)))
    }

    fn with_places(&self, known: &Known, principal: &Principal) -> Arc<Group> {
        let base = &principal.group;
        let places: Vec<_> = self
            .all_places(principal)
            .filter(|(_, place)| !place.permissions.is_empty() || !place.column_rules.is_empty())
            .collect();
        if places.is_empty() {
            return Arc::clone(base);
        }
        let names = places.iter().map(|(toolkit, place)| (toolkit.file.name.clone(), place.name.clone()));
        let key = (base.id, names.collect::<Vec<_>>());
        if let Some((before, group)) = known.variants.get(&key)
            && same(&before, base)
        {
            return group;
        }
        let toolkits = places.into_iter().map(|(toolkit, place)| ToolkitGroup {
            toolkit: toolkit.file.name.clone(),
            group: place.name.clone(),
            basic_rules: place.permissions.clone(),
            advanced_rules: place.column_rules.clone(),
        });
        let group = Arc::new(Group { toolkits: toolkits.collect(), ..Group::clone(base) });
        known.variants.insert(key, (Arc::clone(base), Arc::clone(&group)));
        group
    }
}

fn same(one: &Arc<Group>, other: &Arc<Group>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl ToolkitTerms for Terms {
    fn group(&self, principal: &Principal) -> Arc<Group> {
        let base = &principal.group;
        let Some(known) = self.known.as_ref().filter(|_| !base.is_toolkit()) else { return Arc::clone(base) };
        let key = (base.id, Arc::clone(&principal.toolkit_overrides));
        if let Some((before, group)) = known.callers.get(&key)
            && same(&before, base)
        {
            return group;
        }
        let group = self.with_places(known, principal);
        known.callers.insert(key, (Arc::clone(base), Arc::clone(&group)));
        group
    }

    fn table(&self, table: &str) -> Option<&TableTerms> {
        self.files.tables.get(table)
    }

    fn places(&self, principal: &Principal) -> Map<String, Value> {
        let shown = |(toolkit, place): (&Toolkit, Arc<Place>)| {
            let mut fields = json!({
                "type": toolkit.file.kind.word(),
                "group": place.name,
                "permissions": codes(&place.permissions),
                "endpoint_permissions": place.endpoint_permissions,
            });
            if let (Value::Object(fields), false) = (&mut fields, place.column_rules.is_empty()) {
                fields.insert("column_rules".into(), codes(&place.column_rules));
            }
            (toolkit.file.name.clone(), fields)
        };
        self.all_places(principal).map(shown).collect()
    }
}

/// Rules as an object, `{table: code}`.
fn codes(rules: &[String]) -> Value {
    let pairs = rules.iter().filter_map(|rule| rule.split_once(':'));
    Value::Object(pairs.map(|(name, code)| (name.to_owned(), json!(code))).collect())
}
