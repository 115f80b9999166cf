//! The log, on standard error, and the audit log, in the data folder.

use std::{
    io::IsTerminal,
    sync::{Arc, LazyLock},
};

use audit::{AuditConfig, Spool};
use logging::{Batch, Json, Text};
use tracing_subscriber::{EnvFilter, Layer, filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{Config, config::LogFormat, installation};

/// Starts logging and auditing, once for the whole process. What is audited goes to the spool.
pub(crate) fn start(config: &Config) -> Arc<Spool> {
    let spool = installation::spool(config);
    let AuditConfig { enabled, reads, .. } = config.audit;
    let filter = EnvFilter::try_new(&config.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let most = filter.max_level_hint().unwrap_or(LevelFilter::TRACE);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(batch().clone());
    let lines = match config.log.format {
        LogFormat::Text => lines.event_format(Text).with_ansi(colours).with_filter(filter).boxed(),
        LogFormat::Json => lines.event_format(Json).with_filter(filter).boxed(),
    };
    let audit = enabled.then(|| audit::layer(Arc::clone(&spool), reads));
    // Fails where a test has a log already, which is as good.
    if tracing_subscriber::registry().with(lines).with(audit).try_init().is_ok() {
        // The audit log takes events of finer levels, but none of the libraries that log in the older way.
        log::set_max_level(as_log(most));
    }
    spool
}

/// Writes out the lines that have not gone out yet; to be called before the process ends or becomes another.
pub(crate) fn flush() {
    batch().flush();
}

fn batch() -> &'static Batch {
    static BATCH: LazyLock<Batch> = LazyLock::new(|| Batch::new(std::io::stderr()));
    &BATCH
}

fn as_log(level: LevelFilter) -> log::LevelFilter {
    match level {
        LevelFilter::OFF => log::LevelFilter::Off,
        LevelFilter::ERROR => log::LevelFilter::Error,
        LevelFilter::WARN => log::LevelFilter::Warn,
        LevelFilter::INFO => log::LevelFilter::Info,
        LevelFilter::DEBUG => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    }
}
