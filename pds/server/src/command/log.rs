//! Where log lines go.

use std::{io::IsTerminal, str::FromStr};

use anyhow::Context;
use pds_config::{Errors, Log, LogFormat, Problem, var};
use tracing_subscriber::{EnvFilter, Layer, filter::Directive, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::failure::Refusal;
use crate::{
    http::sample,
    trace::{SPANS, Sending},
};

/// Logs to standard error from now on, one line per event, and sends traces if there is a collector.
pub(super) fn start(log: &Log, traces: Option<&Sending>) -> anyhow::Result<()> {
    if let Some(problem) = problem(log) {
        return Err(Refusal::Settings(Errors(vec![problem])).into());
    }
    let (filter, registry) = (filter(log)?, tracing_subscriber::registry());
    let lines = match log.format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        LogFormat::Text => fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed(),
    };
    match traces {
        // A filter for all layers is the cheapest.
        None => registry.with(lines.and_then(filter)).try_init()?,
        Some(traces) => registry.with(lines.with_filter(filter)).with(traces.layer()).try_init()?,
    }
    Ok(())
}

/// What is wrong with the sampling.
pub(super) fn problem(log: &Log) -> Option<Problem> {
    let message = sample::check(&log.sample).err()?;
    Some(Problem { variable: var::LOG_SAMPLE, value: Some(log.sample.to_string()), message })
}

/// Logs each certificate of a stranger that does not verify with all names in it, as an error. Whoever asked gets the error too.
const NOISY: &str = "rustls_platform_verifier";

/// Which events are logged. Spans of traces are for a collector alone.
pub(super) fn filter(log: &Log) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(&log.filter).context("RUST_LOG")?;
    let filter = filter.add_directive(Directive::from_str(&format!("{SPANS}=off"))?);
    Ok(match log.filter.contains(NOISY) {
        true => filter,
        false => filter.add_directive(Directive::from_str(&format!("{NOISY}=off"))?),
    })
}

#[cfg(test)]
mod tests {
    use pds_config::LogSample;
    use tracing::Level;

    use super::*;

    #[test]
    fn certificates_of_strangers_are_not_logged_unless_the_filter_says_so() {
        for (text, logged) in
            [("info", false), ("debug,pds_server=warn", false), ("info,rustls_platform_verifier=error", true)]
        {
            let log = Log { format: LogFormat::Json, filter: text.to_owned(), sample: LogSample::default() };
            let registry = tracing_subscriber::registry().with(filter(&log).unwrap());
            tracing::subscriber::with_default(registry, || {
                let enabled = tracing::enabled!(target: "rustls_platform_verifier::verification", Level::ERROR);
                assert_eq!(enabled, logged, "{text}");
                assert!(tracing::enabled!(target: "pds_server", Level::WARN));
            });
        }
    }
}
