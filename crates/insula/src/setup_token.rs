//! The token that lets its holder make the first tenant over HTTP from another machine.

use std::{fs, path::PathBuf};

use kernel::Secret;

use crate::{config::Config, failure::Result, private_file};

/// The file that keeps it until there is a tenant.
pub(crate) fn file(config: &Config) -> PathBuf {
    config.data.join("setup-token")
}

/// The token of an installation without a tenant, made where it is missing.
pub(crate) fn get_or_make(config: &Config) -> Result<Secret> {
    let file = file(config);
    if !file.exists() {
        private_file::write_new(&file, identity::generated_password().expose())?;
    }
    let text = crate::config::read_secret(&file).map_err(crate::Failure::Usage)?;
    Ok(Secret::new(text.trim()))
}

/// Removes it once there is a tenant.
pub(crate) fn remove(config: &Config) {
    if let Err(error) = fs::remove_file(file(config))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the setup token could not be removed");
    }
}
