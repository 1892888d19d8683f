//! Metrics of the PDS pods that the operator uses, as of the last scrape.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval between two scrapes of one PDS.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

/// The unit of [`Scrape::database_size`].
pub const COARSE: u64 = 16 << 20;

/// Values from the metrics of one PDS. `None`: the PDS did not report the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrape {
    /// The number of accounts.
    pub accounts: Option<i64>,
    /// Whether the blob store answers it.
    pub blob_store_up: Option<bool>,
    /// Whether its database refused a write because a volume is full.
    pub database_full: bool,
    /// What the database takes on the volume of its server, in units of [`COARSE`] bytes. Coarse, so that it is news now and then only.
    pub database_size: Option<u64>,
    /// Used part of the volume of the data directory, in percent.
    pub data_volume_percent: Option<u8>,
}

/// What every PDS last told, by the uid of the instance.
#[derive(Debug, Default)]
pub struct Scrapes(Mutex<HashMap<String, (Instant, Scrape)>>);

impl Scrapes {
    /// What a PDS last told.
    #[must_use]
    pub fn get(&self, uid: &str) -> Option<Scrape> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, scrape) = known.get(uid)?;
        (since.elapsed() < EVERY * 3).then(|| scrape.clone())
    }

    /// Forgets an instance that is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Keeps what instances told whose uids are wanted.
    pub fn retain(&self, is_wanted: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| is_wanted(uid));
    }

    /// Keeps what a PDS told; true if it is something new.
    pub(crate) fn put(&self, uid: &str, scrape: Scrape) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = known.insert(uid.to_owned(), (Instant::now(), scrape.clone()));
        old.is_none_or(|(_, old)| old != scrape)
    }

    pub(crate) fn is_due(&self, uid: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(uid).is_none_or(|(since, _)| since.elapsed() >= EVERY)
    }
}
