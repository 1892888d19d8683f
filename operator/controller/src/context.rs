//! What every reconciliation shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use kube::runtime::events::Recorder;

use crate::backoff::Backoff;
use crate::metrics::Metrics;

/// What every reconciliation shares.
pub struct Ctx {
    /// The API server.
    pub client: Client,
    /// The namespace of the operator, where Secrets of classes are.
    pub namespace: String,
    /// Publishes Events.
    pub recorder: Recorder,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Failures in a row.
    pub backoff: Backoff,
    /// Checks of a bucket that need not be made again soon, by what was checked.
    pub checked_buckets: Recent<()>,
    /// Numbers of accounts, by instance.
    pub accounts: Recent<Option<i64>>,
}

/// Values that stay good for a while.
#[derive(Debug)]
pub struct Recent<T>(Mutex<HashMap<String, (Instant, T)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Recent<T> {
    /// The value, if it is younger than `age`.
    pub fn get(&self, key: &str, age: Duration) -> Option<T> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).filter(|(since, _)| since.elapsed() < age).map(|(_, value)| value.clone())
    }

    /// Remembers a value, and forgets those that nobody asked about for an hour.
    pub fn put(&self, key: String, value: T) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|_, (since, _)| since.elapsed() < Duration::from_secs(3600));
        values.insert(key, (Instant::now(), value));
    }

    /// Forgets a value.
    pub fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
