//! The features of the program: the one list to which a further one is added.

use std::sync::Arc;

use audit::{Audit, Spool};
use edge::Rooms;
use identity::{Bootstrap, Identity};
use store::{FeatureTables, Migration, SealedColumn, Tenants};

use crate::{config::Config, transfer};

/// The parts of the program that work on tenants.
pub struct Features {
    /// Users, groups, sessions and tokens.
    pub identity: Arc<Identity>,
    /// The data API.
    pub query: Arc<query::Service>,
    /// Who did what.
    pub audit: Arc<Audit>,
    tenants: Arc<Tenants>,
}

/// The steps of all features' tables.
fn migrations() -> Vec<Migration> {
    [identity::MIGRATIONS, query::MIGRATIONS, transfer::MIGRATIONS, audit::MIGRATIONS].concat()
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
    /// All features over the tenants of an installation. `spool` is where its entries of the audit log wait.
    pub(crate) fn new(tenants: &Arc<Tenants>, config: &Config, bootstrap: Bootstrap, spool: Arc<Spool>) -> Self {
        let grammar = Arc::new(query::rules::Grammar);
        let identity = Identity::new(Arc::clone(tenants), config.identity.clone(), bootstrap, grammar);
        let reloaded = vec![Arc::clone(&identity) as _];
        Self {
            query: query::Service::new(Arc::clone(tenants), config.query.clone(), reloaded),
            audit: Audit::new(Arc::clone(tenants), spool, config.audit.clone()),
            tenants: Arc::clone(tenants),
            identity,
        }
    }

    /// The routes of all features by room, each under its tag.
    pub(crate) fn routes(&self) -> Rooms {
        let identity = || Arc::clone(&self.identity);
        Rooms {
            api: vec![
                (identity::NAME, identity::routes(identity())),
                (query::NAME, query::routes(Arc::clone(&self.query))),
                (audit::NAME, audit::routes(Arc::clone(&self.audit), Arc::clone(&self.tenants))),
            ],
            assets: vec![(identity::NAME, identity::assets_routes(identity()))],
            webhooks: vec![identity::webhooks_routes(identity())],
        }
    }
}
