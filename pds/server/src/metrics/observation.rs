//! What observing this server shows: slow statements, and traces.

use std::sync::atomic::Ordering;

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::label::Outcome;

/// The metrics of this file.
#[derive(Default)]
pub(super) struct Observation {
    slow_queries: Counter,
    trace_exports: Family<Outcome, Counter>,
}

impl Observation {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "db_slow_queries",
            "Statements of the database that took longer than PDS_SLOW_QUERY_MS",
            self.slow_queries.clone(),
        );
        registry.register(
            "trace_exports",
            "Batches of spans sent to the collector; absent without a collector",
            self.trace_exports.clone(),
        );
    }

    pub(super) fn set_slow_queries(&self, count: u64) {
        self.slow_queries.inner().store(count, Ordering::Relaxed);
    }

    pub(super) fn set_trace_exports(&self, taken: u64, failed: u64) {
        for (result, count) in [("success", taken), ("failure", failed)] {
            self.trace_exports.get_or_create(&Outcome { result }).inner().store(count, Ordering::Relaxed);
        }
    }
}
