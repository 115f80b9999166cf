//! Who has which place in a toolkit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use kernel::{Principal, Tenant};

use crate::{matching::permits, toolkit::Toolkit};

/// A group of a toolkit: what a place in it gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The group's name; for rights by power `power:` and the power.
    pub(crate) name: String,
    /// Table rules, `table:code`.
    pub(crate) permissions: Vec<String>,
    /// Column rules, `table.column:code`.
    pub(crate) column_rules: Vec<String>,
    /// Paths of endpoints, with `*` for any text.
    pub(crate) endpoint_permissions: Vec<String>,
}

impl Place {
    /// Whether it may call an endpoint, by the path in the file or by that of the request.
    pub(crate) fn permits(&self, endpoint: &str, path: &str) -> bool {
        self.endpoint_permissions.iter().any(|known| permits(known, endpoint) || permits(known, path))
    }
}

/// What a tenant's database says of places.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The groups of toolkits that have a table for them and whose table is there.
    pub(crate) groups: HashMap<String, BTreeMap<String, Arc<Place>>>,
    /// By toolkit and number of the tenant's group.
    pub(crate) associations: HashMap<(String, i64), String>,
    pub(crate) problems: Problems,
}

/// What is wrong with the tables of groups, for the log.
pub(crate) type Problems = BTreeSet<String>;

impl Stored {
    /// Logs what is wrong and was not known before, so that it is not told again with every look at the database.
    pub(crate) fn tell(&self, tenant: &Tenant, before: Option<&Self>) {
        for problem in &self.problems {
            if before.is_none_or(|before| !before.problems.contains(problem)) {
                tracing::error!(tenant = tenant.name, "groups of the toolkit {problem}");
            }
        }
    }

    /// The groups of a toolkit; none where its table for them is missing.
    pub(crate) fn groups_of<'a>(&'a self, toolkit: &'a Toolkit) -> Option<&'a BTreeMap<String, Arc<Place>>> {
        let stored = self.groups.get(&toolkit.file.name);
        let inline = || (!toolkit.groups.is_empty() || toolkit.file.groups_table.is_none()).then_some(&toolkit.groups);
        stored.or_else(inline)
    }

    /// The name of the group of a toolkit that a group of the tenant is associated with.
    pub(crate) fn associated<'a>(&'a self, toolkit: &'a Toolkit, id: i64, name: &str) -> Option<&'a str> {
        let stored = self.associations.get(&(toolkit.file.name.clone(), id));
        stored.or_else(|| toolkit.file.associations.get(name)).map(String::as_str)
    }

    /// The place of a caller in a toolkit: the own override, else that of the group, else what the power gives.
    pub(crate) fn place(&self, toolkit: &Toolkit, principal: &Principal) -> Option<Arc<Place>> {
        if !toolkit.file.enabled || principal.group.is_toolkit() {
            return None;
        }
        let own = principal.toolkit_overrides.iter().find(|own| own.toolkit == toolkit.file.name);
        let named = match own {
            Some(own) => Some(own.group.as_str()),
            None => self.associated(toolkit, principal.group.id, &principal.group.name),
        };
        self.given(toolkit, named, principal.group.power)
    }

    /// The place that the name of a toolkit's group, or else a power gives.
    pub(crate) fn given(&self, toolkit: &Toolkit, named: Option<&str>, power: u8) -> Option<Arc<Place>> {
        match (named, self.groups_of(toolkit)) {
            // A group that is gone gives nothing.
            (Some(name), Some(groups)) => groups.get(name).cloned(),
            (Some(_), None) | (None, _) => toolkit.fallback(power),
        }
    }
}
