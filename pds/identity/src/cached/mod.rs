//! A cache in front of answers that are slow to get and sometimes fail.
//!
//! One question per key at a time. An answer is fresh for a while; then it is still served, while one task asks again; a
//! failure is remembered briefly. Never asks on its own: every question comes with a call.

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

/// How long answers live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    /// An answer is not asked for again before this age, give or take a tenth, so that keys learnt together do not expire together.
    pub(crate) fresh: Duration,
    /// No answer is served beyond this age.
    pub(crate) stale: Duration,
    /// A failed question is not repeated before this age.
    pub(crate) failed: Duration,
}

/// Answers by key. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cached<K, V> {
    known: Cache<K, Entry<V>>,
    ages: Ages,
}

#[derive(Clone)]
struct Entry<V> {
    value: Result<V, Error>,
    /// Why the last question failed, when an older answer stays in use.
    failed: Option<Error>,
    asked: Instant,
    /// When to ask again.
    due: Instant,
    /// When the value stops being served.
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
    /// An empty cache for answers of `capacity` units altogether; `weigh` counts an answer's units.
    pub(crate) fn new(capacity: u64, ages: Ages, weigh: fn(&V) -> u32) -> Self {
        let known = Cache::builder()
            .max_capacity(capacity)
            .weigher(move |_, entry: &Entry<V>| entry.value.as_ref().map_or(1, weigh))
            // Only frees memory: `until` decides, since storing a failed refresh begins this time anew.
            .time_to_live(ages.stale.max(ages.fresh).max(ages.failed))
            .build();
        Self { known, ages }
    }

    /// The answer to `question`, which is dropped unasked when the cache knows it.
    pub(crate) async fn get<Q>(&self, key: &K, question: Q) -> Result<V, Error>
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

    /// The answer to `question`, put after this call: neither a known answer nor one under way is good enough.
    ///
    /// When it fails, an answer that is known stays in use until it is too old; one that is known to be gone does not.
    pub(crate) async fn refresh<Q>(&self, key: &K, question: impl Fn() -> Q) -> Result<V, Error>
    where
        Q: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let called = Instant::now();
        loop {
            let entry = joined(self.ask(key, question(), move |old: &Entry<V>| old.asked < called).await)?;
            // An older value than wanted comes from a question that was under way; it is answered now.
            if entry.asked >= called {
                return entry.failed.map_or(entry.value, Err);
            }
        }
    }

    /// Asks in a task of its own, so that a caller who leaves does not take the answer away from those who wait with it.
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
        let answer = question.await;
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

#[cfg(test)]
mod tests;
