//! An installation: a data folder with its key, its tenants and the features on them.

use std::sync::Arc;

use audit::Spool;
use identity::Bootstrap;
use kernel::TenantDirectory;
use store::{OpenTenant, TenantRecord, Tenants};

use crate::{
    config::Config,
    failure::{Failure, Result},
    features::{self, Features},
    master_key, private_file, setup_token,
};

/// An opened installation. Several processes may open one at the same time.
pub struct Installation {
    /// The configuration.
    pub config: Config,
    /// All tenants.
    pub tenants: Arc<Tenants>,
    /// The parts of the program that work on tenants.
    pub features: Features,
    /// Its key, and others that are still in use.
    pub(crate) master: master_key::Given,
}

impl Installation {
    /// Opens the data folder of a configuration, and makes it where it is missing.
    pub async fn open(config: Config) -> Result<Self> {
        let spool = spool(&config);
        Self::audited(config, spool).await
    }

    /// The same with the spool that this process writes its audit log to.
    pub(crate) async fn audited(config: Config, spool: Arc<Spool>) -> Result<Self> {
        private_file::folder(&config.data)?;
        let mut master = master_key::Given::of(&config).await?;
        let tables = (features::tables(), features::control_migrations());
        let tenants = Tenants::start(&config.data, config.store.clone(), master.keys(), tables.0, tables.1).await?;
        master.settle(&tenants).await?;
        let bootstrap = bootstrap(&tenants, &config).await?;
        let features = Features::new(&tenants, &config, bootstrap, spool);
        Ok(Self { config, tenants, features, master })
    }

    /// The tenant of a name, or else the first.
    pub async fn record(&self, name: Option<&str>) -> Result<Arc<TenantRecord>> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => self.first_name().await?.ok_or_else(|| {
                Failure::Missing("there is no tenant yet; make the first: insula init --domain example.com".to_owned())
            })?,
        };
        Ok(self.tenants.by_name(&name).await?)
    }

    /// The name of the first tenant.
    pub async fn first_name(&self) -> Result<Option<String>> {
        Ok(self.tenants.first().await?.map(|tenant| tenant.name.clone()))
    }

    /// The databases of the tenant of a name, or else of the first.
    pub async fn open_tenant(&self, name: Option<&str>) -> Result<(Arc<TenantRecord>, Arc<OpenTenant>)> {
        let record = self.record(name).await?;
        let open = self.tenants.open(&record.tenant).await?;
        Ok((record, open))
    }
}

/// Where entries of the audit log wait that are about an installation.
pub(crate) fn spool(config: &Config) -> Arc<Spool> {
    Arc::new(Spool::new(&config.data, config.audit.max_spool_size.0))
}

/// How strangers may make the first tenant: not at all once there is one.
async fn bootstrap(tenants: &Tenants, config: &Config) -> Result<Bootstrap> {
    let setup_token = match tenants.first().await? {
        Some(_) => None,
        None => Some(setup_token::get_or_make(config)?),
    };
    let hosts = config.server.bootstrap_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    Ok(Bootstrap { setup_token, setup_token_file: Some(setup_token::file(config)), hosts })
}
