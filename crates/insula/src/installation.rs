//! An installation: a data folder with its key, its tenants and the features on them.

use std::{path::Path, sync::Arc};

use identity::Bootstrap;
use kernel::{TenantDirectory, seal::SealingKey};
use store::{OpenTenant, TenantRecord, Tenants};

use crate::{
    config::{self, Config},
    failure::{Failure, Result},
    features::{self, Features},
    private_file, setup_token,
};

/// The file in the data folder with the installation's key.
const MASTER_KEY: &str = "master.key";

/// An opened installation. Several processes may open one at the same time.
pub struct Installation {
    /// The configuration.
    pub config: Config,
    /// All tenants.
    pub tenants: Arc<Tenants>,
    /// The parts of the program that work on tenants.
    pub features: Features,
}

impl Installation {
    /// Opens the data folder of a configuration, and makes it where it is missing.
    pub async fn open(config: Config) -> Result<Self> {
        private_file::folder(&config.data)?;
        let key = master_key(&config)?;
        let tenants = Tenants::start(
            &config.data,
            config.store.clone(),
            key,
            features::migrations(),
            features::control_migrations(),
        )
        .await?;
        let bootstrap = bootstrap(&tenants, &config).await?;
        let features = Features::new(&tenants, &config, bootstrap);
        Ok(Self { config, tenants, features })
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

/// How strangers may make the first tenant: not at all once there is one.
async fn bootstrap(tenants: &Tenants, config: &Config) -> Result<Bootstrap> {
    let setup_token = match tenants.first().await? {
        Some(_) => None,
        None => Some(setup_token::get_or_make(config)?),
    };
    let hosts = config.server.bootstrap_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    Ok(Bootstrap { setup_token, setup_token_file: Some(setup_token::file(config)), hosts })
}

/// The configured key, or that of the data folder, which is made where it is missing.
fn master_key(config: &Config) -> Result<SealingKey> {
    if let Some(key) = &config.master_key {
        return SealingKey::from_text(key.expose()).ok_or_else(|| unfit(Path::new("master_key")));
    }
    let file = config.data.join(MASTER_KEY);
    if !file.exists() {
        refuse_orphans(&config.data)?;
        private_file::write_new(&file, &SealingKey::generate().to_text())?;
    }
    let text = config::read_secret(&file).map_err(Failure::Usage)?;
    SealingKey::from_text(&text).ok_or_else(|| unfit(&file))
}

/// A new key beside old data would open nothing of it.
fn refuse_orphans(data: &Path) -> Result<()> {
    if !data.join("control.db").exists() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{0} has tenants but no {MASTER_KEY}; put back its copy or set master_key_file, for without it nothing sealed in {0} can be read",
        data.display()
    )))
}

fn unfit(file: &Path) -> Failure {
    Failure::Usage(format!("{} does not hold a master key: 32 bytes as base64", file.display()))
}
