//! The features of the program: the one list to which a further one is added.

use std::sync::Arc;

use audit::{Audit, Spool};
use edge::Rooms;
use identity::{Bootstrap, Identity};
use store::{FeatureTables, Migration, SealedColumn, Tenants};
use toolkits::Registry;

use crate::{config::Config, export_tenant, restart::Restarts, transfer};

/// The parts of the program that work on tenants.
pub struct Features {
    /// Users, groups, sessions and tokens.
    pub identity: Arc<Identity>,
    /// The data API.
    pub query: Arc<query::Service>,
    /// The toolkits of tenants.
    pub toolkits: Arc<toolkits::Service>,
    /// The system columns of tenants' tables.
    pub columns: Arc<columns::Columns>,
    /// The settings that tenants keep in their databases.
    pub settings: Arc<settings::Settings>,
    /// Who did what.
    pub audit: Arc<Audit>,
    tenants: Arc<Tenants>,
    /// The restart that is pending.
    pub(crate) restarts: Arc<Restarts>,
}

/// The steps of all features' tables.
fn migrations() -> Vec<Migration> {
    let features =
        [identity::MIGRATIONS, query::MIGRATIONS, toolkits::MIGRATIONS, settings::MIGRATIONS, audit::MIGRATIONS];
    [&features.concat(), transfer::MIGRATIONS].concat()
}

/// The steps of the features' tables in the control database.
pub(crate) fn control_migrations() -> Vec<Migration> {
    [identity::CONTROL_MIGRATIONS, toolkits::CONTROL_MIGRATIONS].concat()
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
    /// All features over the tenants of an installation. `spool` is where its entries of the audit log wait.
    pub(crate) fn new(tenants: &Arc<Tenants>, config: &Config, bootstrap: Bootstrap, spool: Arc<Spool>) -> Self {
        let grammar = Arc::new(query::rules::Grammar);
        let settings = settings::Settings::new(Arc::clone(tenants), config.beside_tables());
        let table = || Arc::clone(&settings) as _;
        let registry = Registry::new(Arc::clone(tenants), Arc::clone(&grammar) as _);
        let identity = Identity::new(Arc::clone(tenants), config.identity.clone(), bootstrap, grammar, table());
        let columns = columns::Columns::new(Arc::clone(tenants), config.system_columns(), Arc::clone(&registry) as _);
        let restarts = Restarts::new(&config.server);
        let doors = query::Doors {
            toolkits: Arc::clone(&registry) as _,
            settings: table(),
            columns: Arc::clone(&columns) as _,
            restart: Arc::clone(&restarts) as _,
            // Columns are the last: they are added when nothing else is wrong.
            reloaded: vec![
                Arc::clone(&settings) as _,
                Arc::clone(&identity) as _,
                Arc::clone(&registry) as _,
                Arc::clone(&columns) as _,
            ],
        };
        let query = query::Service::new(Arc::clone(tenants), config.query.clone(), doors);
        let toolkits = toolkits::Service::new(registry, Arc::clone(&query) as _);
        let audit = Audit::new(Arc::clone(tenants), spool, config.audit.clone());
        Self { identity, query, toolkits, columns, settings, audit, restarts, tenants: Arc::clone(tenants) }
    }

    /// The routes of all features by room, each under its tag.
    pub(crate) fn routes(&self) -> Rooms {
        let identity = || Arc::clone(&self.identity);
        Rooms {
            api: vec![
                (identity::NAME, identity::routes(identity())),
                (identity::NAME, export_tenant::routes(identity(), Arc::clone(&self.tenants))),
                (query::NAME, query::routes(Arc::clone(&self.query))),
                (toolkits::NAME, toolkits::routes(Arc::clone(&self.toolkits))),
                (settings::NAME, settings::routes(Arc::clone(&self.settings), identity())),
                (audit::NAME, audit::routes(Arc::clone(&self.audit), Arc::clone(&self.tenants))),
            ],
            assets: vec![(identity::NAME, identity::assets_routes(identity()))],
            webhooks: vec![identity::webhooks_routes(identity())],
        }
    }
}
