//! Whose old keys are.

use std::{collections::HashMap, sync::Arc};

use identity::{Identity, User};
use store::OpenTenant;

use crate::failure::Result;

/// Owners that are remembered.
const REMEMBERED: usize = 100_000;

/// Finds owners, each of them once.
pub(crate) struct Owners<'a> {
    identity: &'a Identity,
    open: &'a OpenTenant,
    /// Whose keys are that name nobody who is known.
    fallback: Option<Arc<User>>,
    known: HashMap<String, Option<Arc<User>>>,
}

impl<'a> Owners<'a> {
    pub(crate) fn new(identity: &'a Identity, open: &'a OpenTenant, fallback: Option<User>) -> Self {
        Self { identity, open, fallback: fallback.map(Arc::new), known: HashMap::new() }
    }

    /// The user of a text.
    pub(crate) async fn of(&mut self, text: Option<&str>) -> Result<Option<Arc<User>>> {
        let Some(text) = text.map(str::trim) else { return Ok(self.fallback.clone()) };
        if !self.known.contains_key(text) {
            let found = self.identity.find_owner(self.open, text).await?.map(Arc::new);
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            self.known.insert(text.to_owned(), found);
        }
        Ok(self.known.get(text).cloned().flatten().or_else(|| self.fallback.clone()))
    }
}
