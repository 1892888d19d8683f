//! A cache for lookups that are slow and can fail.
//!
//! At most one lookup per key runs at a time. A result is fresh for some time. Afterwards it is still returned, while one task repeats the
//! lookup. A failure is cached for a short time. Lookups run only when a caller asks.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use moka::future::Cache;

use crate::Error;

/// How long results are used.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    /// Age after which a lookup is repeated. Varies by a tenth, so that results of the same time do not expire together.
    pub fresh: Duration,
    /// Age after which a result is no longer returned.
    pub stale: Duration,
    /// Age after which a failed lookup is repeated.
    pub failed: Duration,
}

/// Results by key. Clones share the cache.
#[derive(Clone)]
pub struct Cached<K, V> {
    known: Cache<K, Entry<V>>,
    ages: Ages,
}

#[derive(Clone)]
struct Entry<V> {
    value: Result<V, Error>,
    /// The error of the last lookup, if an older result is still in use.
    failed: Option<Error>,
    asked: Instant,
    /// When the lookup is repeated.
    due: Instant,
    /// When the value is no longer returned.
    until: Instant,
    refreshing: Arc<AtomicBool>,
}

impl<V> Entry<V> {
    fn is_usable(&self, now: Instant) -> bool {
        now < self.due || (self.value.is_ok() && now < self.until)
    }
}

impl<K, V> Cached<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty cache for results of at most `capacity` units together. `weigh` returns the units of a result.
    pub fn new(capacity: u64, ages: Ages, weigh: fn(&V) -> u32) -> Self {
        let known = Cache::builder()
            .max_capacity(capacity)
            .weigher(move |_, entry: &Entry<V>| entry.value.as_ref().map_or(1, weigh))
            // Only frees memory. `until` decides about validity: a failed refresh stores the entry again, which restarts this time.
            .time_to_live(ages.stale.max(ages.fresh).max(ages.failed))
            .build();
        Self { known, ages }
    }

    /// The result in the cache, if there is a usable one, and whether it is fresh. Runs no lookup.
    pub async fn known(&self, key: &K) -> Option<(Result<V, Error>, bool)> {
        let now = Instant::now();
        let entry = self.known.get(key).await.filter(|entry| entry.is_usable(now))?;
        Some((entry.value, now < entry.due))
    }

    /// The result for `key`. Runs `question` only if the cache has no usable result.
    ///
    /// # Errors
    /// That of the lookup.
    pub async fn get<Q>(&self, key: &K, question: Q) -> Result<V, Error>
    where
        Q: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let now = Instant::now();
        match self.known.get(key).await {
            Some(entry) if now < entry.due => entry.value,
            Some(entry) if entry.is_usable(now) => {
                if !entry.refreshing.swap(true, Ordering::Relaxed) {
                    drop(self.ask(key, question, move |old: &Entry<V>| old.due <= now));
                }
                entry.value
            }
            _ => joined(self.ask(key, question, move |old: &Entry<V>| !old.is_usable(now)).await)?.value,
        }
    }

    /// The result of a lookup that starts after this call. Neither a cached result nor a running lookup is used.
    ///
    /// If the lookup fails, a cached result stays in use until it is too old, unless the error is definite.
    pub(crate) async fn refresh<Q>(&self, key: &K, question: impl Fn() -> Q) -> Result<V, Error>
    where
        Q: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let called = Instant::now();
        loop {
            let entry = joined(self.ask(key, question(), move |old: &Entry<V>| old.asked < called).await)?;
            // An older entry is the result of a lookup that was running at the call. It has ended, so the next one starts now.
            if entry.asked >= called {
                return entry.failed.map_or(entry.value, Err);
            }
        }
    }

    /// Runs the lookup in its own task, so that it continues for the other callers if this caller is cancelled.
    fn ask<Q>(
        &self,
        key: &K,
        question: Q,
        replace: impl FnMut(&Entry<V>) -> bool + Send + 'static,
    ) -> tokio::task::JoinHandle<Entry<V>>
    where
        Q: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let (this, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            let answer = this.answer(&key, question);
            this.known.entry_by_ref(&key).or_insert_with_if(answer, replace).await.into_value()
        })
    }

    async fn answer(&self, key: &K, question: impl Future<Output = Result<V, Error>>) -> Entry<V> {
        let asked = Instant::now();
        let known = self.known.get(key).await;
        // A failure counts as one unit, whatever a server has put into it.
        let answer = question.await.map_err(Error::shortened);
        let now = Instant::now();
        let entry = |value, failed, due, until| Entry { value, failed, asked, due, until, refreshing: Arc::default() };
        match (answer, known) {
            (Err(error), Some(known)) if known.value.is_ok() && now < known.until && !error.is_final() => {
                entry(known.value, Some(error), now + self.ages.failed, known.until)
            }
            (Err(error), _) => entry(Err(error), None, now + self.ages.failed, now + self.ages.failed),
            (Ok(value), _) => {
                let fresh = self.ages.fresh.mul_f64(rand::random_range(0.9..=1.1));
                entry(Ok(value), None, now + fresh, now + fresh.max(self.ages.stale))
            }
        }
    }
}

fn joined<V>(entry: Result<Entry<V>, tokio::task::JoinError>) -> Result<Entry<V>, Error> {
    entry.map_err(|error| Error::Unreachable { name: "a lookup".to_owned(), reason: error.to_string() })
}

impl<K, V> std::fmt::Debug for Cached<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cached({} known)", self.known.entry_count())
    }
}

#[cfg(test)]
mod tests;
