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

/// How large a volume is, and how much of it this process may still write.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// Size of the volume.
    pub size_bytes: u64,
    /// Free space that this process may use.
    pub available_bytes: u64,
}

/// A gauge that is absent until it has been set.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading(Arc<RwLock<Option<i64>>>);

impl Reading {
    pub(super) fn set(&self, value: i64) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    pub(super) fn put(&self, value: Option<i64>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
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
    data_volume_size: Reading,
    data_volume_available: Reading,
    database_full: Reading,
    database_size: Reading,
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
        registry.register(
            "data_volume_size_bytes",
            "Size of the volume of the data directory; only with SQLite",
            self.data_volume_size.clone(),
        );
        registry.register(
            "data_volume_available_bytes",
            "What this process may still write to the volume of the data directory; only with SQLite",
            self.data_volume_available.clone(),
        );
        registry.register(
            "database_full",
            "Whether the database refused this replica's last write because its volume has no room",
            self.database_full.clone(),
        );
        registry.register(
            "database_size_bytes",
            "Bytes that the database takes on the volume of its server, without its log of changes; on Postgres alone",
            self.database_size.clone(),
        );
    }

    pub(super) fn set_data_volume(&self, volume: Volume) {
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.data_volume_size.set(gauge(volume.size_bytes));
        self.data_volume_available.set(gauge(volume.available_bytes));
    }

    pub(super) fn set_database_full(&self, full: bool) {
        self.database_full.set(full.into());
    }

    pub(super) fn set_database_size(&self, bytes: i64) {
        self.database_size.set(bytes);
    }

    /// The blob store was asked; `succeeded_at` is in seconds since 1970.
    pub(super) fn blob_store_asked(&self, succeeded_at: Option<i64>) {
        self.blob_store_up.set(succeeded_at.is_some().into());
        if let Some(at) = succeeded_at {
            self.blob_store_success.set(at);
        }
    }
}
