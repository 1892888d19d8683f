//! How long statements and transactions waited for connections, for metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The sum of all waits, and their number. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(Arc<(AtomicU64, AtomicU64)>);

impl Waits {
    pub(crate) fn waited(&self, time: Duration) {
        self.0.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.1.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> (Duration, u64) {
        (Duration::from_nanos(self.0.0.load(Ordering::Relaxed)), self.0.1.load(Ordering::Relaxed))
    }
}
