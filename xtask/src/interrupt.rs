//! Ctrl-C and its kin: noted here, acted on wherever something is waited for, so that every `Drop` runs.

use std::sync::{Arc, OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on SIGINT, SIGTERM and SIGHUP are noted instead of ending the process at once.
pub(crate) fn watch() -> Result<()> {
    let flag = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag)).context("Cannot watch for signals")?;
    }
    Ok(())
}

/// Whether somebody asked this process to stop.
pub(crate) fn asked() -> bool {
    ASKED.get().is_some_and(|flag| flag.load(Relaxed))
}

/// Fails when somebody asked this process to stop.
pub(crate) fn check() -> Result<()> {
    if asked() {
        bail!("Interrupted.");
    }
    Ok(())
}
