//! Where data is: the blob store, the data directory, the database's volume.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

/// A gauge that is absent until it has been set.
#[derive(Clone, Debug, Default)]
struct Reading(Arc<RwLock<Option<i64>>>);

impl Reading {
    fn set(&self, value: i64) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn value(&self) -> Option<i64> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EncodeMetric for Reading {
    fn encode(&self, encoder: MetricEncoder) -> fmt::Result {
        self.value().map_or(Ok(()), |value| ConstGauge::new(value).encode(encoder))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.value().is_none()
    }
}

/// The metrics of this file.
#[derive(Default)]
pub(super) struct Storage {
    blob_store_up: Reading,
    blob_store_success: Reading,
}

impl Storage {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "blob_store_up",
            "Whether the blob store answered when it was last asked; absent before the first answer",
            self.blob_store_up.clone(),
        );
        registry.register(
            "blob_store_last_success_timestamp_seconds",
            "When the blob store last answered",
            self.blob_store_success.clone(),
        );
    }

    /// The blob store was asked; `succeeded_at` is in seconds since 1970.
    pub(super) fn blob_store_asked(&self, succeeded_at: Option<i64>) {
        self.blob_store_up.set(succeeded_at.is_some().into());
        if let Some(at) = succeeded_at {
            self.blob_store_success.set(at);
        }
    }
}
