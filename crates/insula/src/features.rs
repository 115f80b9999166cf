//! The features of the program: the one list to which a further one is added.

use std::sync::Arc;

use edge::Rooms;
use identity::{Bootstrap, Identity};
use store::{FeatureTables, Migration, SealedColumn, Tenants};

use crate::{config::Config, export_tenant, transfer};

/// The parts of the program that work on tenants.
pub struct Features {
    /// Users, groups, sessions and tokens.
    pub identity: Arc<Identity>,
    /// The data API.
    pub query: Arc<query::Service>,
    /// The system columns of tenants' tables.
    pub columns: Arc<columns::Columns>,
    /// The settings that tenants keep in their databases.
    pub settings: Arc<settings::Settings>,
    tenants: Arc<Tenants>,
}

/// The steps of all features' tables.
fn migrations() -> Vec<Migration> {
    [identity::MIGRATIONS, query::MIGRATIONS, settings::MIGRATIONS, transfer::MIGRATIONS].concat()
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
        let settings = settings::Settings::new(Arc::clone(tenants), config.beside_tables());
        let table = || Arc::clone(&settings) as _;
        let identity = Identity::new(Arc::clone(tenants), config.identity.clone(), bootstrap, grammar, table());
        let toolkits = Arc::new(kernel::columns::NoToolkitColumns);
        let columns = columns::Columns::new(Arc::clone(tenants), config.system_columns(), toolkits);
        // Columns are the last: they are added when nothing else is wrong.
        let reloaded = vec![Arc::clone(&settings) as _, Arc::clone(&identity) as _, Arc::clone(&columns) as _];
        let missing = Arc::clone(&columns) as _;
        Self {
            query: query::Service::new(Arc::clone(tenants), config.query.clone(), table(), missing, reloaded),
            identity,
            columns,
            settings,
            tenants: Arc::clone(tenants),
        }
    }

    /// The routes of all features by room, each under its tag.
    pub(crate) fn routes(&self) -> Rooms {
        let identity = || Arc::clone(&self.identity);
        Rooms {
            api: vec![
                (identity::NAME, identity::routes(identity())),
                (identity::NAME, export_tenant::routes(identity(), Arc::clone(&self.tenants))),
                (query::NAME, query::routes(Arc::clone(&self.query))),
                (settings::NAME, settings::routes(Arc::clone(&self.settings), identity())),
            ],
            assets: vec![(identity::NAME, identity::assets_routes(identity()))],
            webhooks: vec![identity::webhooks_routes(identity())],
        }
    }
}
