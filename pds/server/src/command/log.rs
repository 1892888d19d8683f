//! Where log lines go.

use anyhow::Context;
use pds_config::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Logs to standard error from now on, one line per event.
pub(super) fn start(log: &Log) -> anyhow::Result<()> {
    let registry = tracing_subscriber::registry().with(filter(log)?);
    match log.format {
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()?
        }
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr)).try_init()?,
    }
    Ok(())
}

/// Which events are logged.
pub(super) fn filter(log: &Log) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(&log.filter).context("RUST_LOG")
}
