//! What the operator counts.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// How a reconciliation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// `ok`, or the category of the error.
    pub outcome: &'static str,
}

/// Of which kind an object was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// For example `PdsInstance`.
    pub kind: String,
}

/// What the operator counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciliations: Family<Outcome, Counter>,
    duration: Histogram,
    leader: Gauge<i64>,
    scrapes: Counter<u64, AtomicU64>,
    unreadable: Family<Kind, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aurora_operator");
        let reconciliations = Family::default();
        let duration = Histogram::new(exponential_buckets(0.005, 2.0, 14));
        let leader = Gauge::default();
        let scrapes = Counter::default();
        let unreadable = Family::default();
        registry.register("reconciliations", "Reconciliations by how they ended", reconciliations.clone());
        let about = "Time of one reconciliation";
        registry.register_with_unit("reconciliation_duration", about, Unit::Seconds, duration.clone());
        registry.register("leader", "1 while this process holds the Lease", leader.clone());
        registry.register("account_scrapes", "Times that a PDS was asked for its number of accounts", scrapes.clone());
        let about = "Times that the API server showed an object that this version cannot read";
        registry.register("unreadable_objects", about, unreadable.clone());
        Self { registry, reconciliations, duration, leader, scrapes, unreadable }
    }
}

impl Metrics {
    /// One reconciliation ended.
    pub fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.reconciliations.get_or_create(&Outcome { outcome }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// This process became leader, or is it no more.
    pub fn set_leader(&self, leader: bool) {
        self.leader.set(leader.into());
    }

    /// A PDS was asked for its number of accounts.
    pub fn scraped(&self) {
        self.scrapes.inc();
    }

    /// An object could not be read.
    pub fn unreadable(&self, kind: &str) {
        self.unreadable.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// The metrics as text.
    ///
    /// # Errors
    /// Only if memory ends.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
