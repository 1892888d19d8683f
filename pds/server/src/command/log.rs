//! Where log lines go.

use std::str::FromStr;

use anyhow::Context;
use pds_config::{Log, LogFormat};
use tracing_subscriber::{EnvFilter, filter::Directive, fmt, layer::SubscriberExt, util::SubscriberInitExt};

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

/// Logs each certificate of a stranger that does not verify with all names in it, as an error. Whoever asked gets the error too.
const NOISY: &str = "rustls_platform_verifier";

/// Which events are logged.
pub(super) fn filter(log: &Log) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(&log.filter).context("RUST_LOG")?;
    Ok(match log.filter.contains(NOISY) {
        true => filter,
        false => filter.add_directive(Directive::from_str(&format!("{NOISY}=off"))?),
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn certificates_of_strangers_are_not_logged_unless_the_filter_says_so() {
        for (text, logged) in
            [("info", false), ("debug,pds_server=warn", false), ("info,rustls_platform_verifier=error", true)]
        {
            let log = Log { format: LogFormat::Json, filter: text.to_owned() };
            let registry = tracing_subscriber::registry().with(filter(&log).unwrap());
            tracing::subscriber::with_default(registry, || {
                let enabled = tracing::enabled!(target: "rustls_platform_verifier::verification", Level::ERROR);
                assert_eq!(enabled, logged, "{text}");
                assert!(tracing::enabled!(target: "pds_server", Level::WARN));
            });
        }
    }
}
