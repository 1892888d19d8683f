//! What every reconciliation shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;

use crate::backoff::Backoff;
use crate::cache::Cache;
use crate::metrics::Metrics;

/// What every reconciliation shares.
pub struct Ctx {
    /// The API server.
    pub client: Client,
    /// The namespace of the operator, where Secrets of classes are.
    pub namespace: String,
    /// What the watches have seen.
    pub cache: Cache,
    /// Secrets in the namespace of the operator, as a watch has seen them.
    pub class_secrets: Option<Store<Secret>>,
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
    /// The unique ids of the namespaces, by instance.
    pub homes: Recent<String>,
}

impl Ctx {
    /// Knows nothing yet, and asks the API server for everything.
    #[must_use]
    pub fn new(client: Client, namespace: String, reporter: Reporter, metrics: Arc<Metrics>) -> Self {
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            namespace,
            metrics,
            cache: Cache::default(),
            class_secrets: None,
            backoff: Backoff::default(),
            checked_buckets: Recent::default(),
            accounts: Recent::default(),
            homes: Recent::default(),
        }
    }

    /// Forgets an instance that is gone.
    pub fn forget(&self, uid: &str) {
        self.backoff.reset(uid);
        self.accounts.forget(uid);
        self.homes.forget(uid);
    }
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
