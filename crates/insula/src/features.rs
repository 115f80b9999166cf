//! The features of the program: the one list to which a further one is added.

use std::sync::Arc;

use edge::Rooms;
use identity::{Bootstrap, Identity};
use store::{FeatureTables, Migration, SealedColumn, Tenants};

use crate::{config::Config, export_tenant, restart::Restarts, transfer};

/// The parts of the program that work on tenants.
pub struct Features {
    /// Users, groups, sessions and tokens.
    pub identity: Arc<Identity>,
    /// The data API.
    pub query: Arc<query::Service>,
    tenants: Arc<Tenants>,
    /// The restart that is pending.
    pub(crate) restarts: Arc<Restarts>,
}

/// The steps of all features' tables.
fn migrations() -> Vec<Migration> {
    [identity::MIGRATIONS, query::MIGRATIONS, transfer::MIGRATIONS].concat()
}

/// The steps of the features' tables in the control database.
pub(crate) fn control_migrations() -> Vec<Migration> {
    identity::CONTROL_MIGRATIONS.to_vec()
}

/// The columns of the features' tables that hold sealed values alone.
fn sealed_columns() -> Vec<SealedColumn> {
    identity::SEALED.iter().map(|&(table, column)| SealedColumn { table, column }).collect()
}

/// What all features keep for each tenant.
pub(crate) fn tables() -> FeatureTables {
    FeatureTables { migrations: migrations(), sealed: sealed_columns() }
}

impl Features {
    /// All features over the tenants of an installation.
    pub(crate) fn new(tenants: &Arc<Tenants>, config: &Config, bootstrap: Bootstrap) -> Self {
        let grammar = Arc::new(query::rules::Grammar);
        let identity = Identity::new(Arc::clone(tenants), config.identity.clone(), bootstrap, grammar);
        let reloaded = vec![Arc::clone(&identity) as _];
        let restarts = Restarts::new(&config.server);
        let restart = Arc::clone(&restarts) as _;
        let toolkits = Arc::new(kernel::toolkits::NoToolkits);
        let query = query::Service::new(Arc::clone(tenants), toolkits, config.query.clone(), reloaded, restart);
        Self { identity, query, restarts, tenants: Arc::clone(tenants) }
    }

    /// The routes of all features by room, each under its tag.
    pub(crate) fn routes(&self) -> Rooms {
        let identity = || Arc::clone(&self.identity);
        Rooms {
            api: vec![
                (identity::NAME, identity::routes(identity())),
                (identity::NAME, export_tenant::routes(identity(), Arc::clone(&self.tenants))),
                (query::NAME, query::routes(Arc::clone(&self.query))),
            ],
            assets: vec![(identity::NAME, identity::assets_routes(identity()))],
            webhooks: vec![identity::webhooks_routes(identity())],
        }
    }
}
