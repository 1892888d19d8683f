//! A map of bounded size that drops expired entries.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

/// The key of an entry: a keyed hash of limit and subject. Clients cannot provoke collisions, because they do not know the key of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64);

/// Makes keys. Each process hashes with its own random key.
#[derive(Debug, Default)]
pub(crate) struct Keys(RandomState);

impl Keys {
    pub(crate) fn key(&self, limit: &str, subject: &str) -> Key {
        Key(self.0.hash_one((limit, subject)))
    }
}

/// Takes the value as the hash: keys are hashes already.
#[derive(Debug, Default)]
struct UnchangedHasher(u64);

impl Hasher for UnchangedHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// An entry that can be dropped once it has expired.
pub(crate) trait Expiring {
    /// In microseconds.
    fn expires_at(&self) -> u64;
    /// Its share of the bound of [`Bounded`].
    fn weight(&self) -> usize;
}

#[derive(Debug)]
pub(crate) struct Bounded<V> {
    entries: HashMap<Key, V, BuildHasherDefault<UnchangedHasher>>,
    weight: usize,
    /// The weight at which expired entries are dropped next.
    sweep_at: usize,
    bound: usize,
}

/// Below this weight, dropping expired entries costs more than it frees.
const LEAST_SWEEP: usize = 1024;

impl<V: Expiring> Bounded<V> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { entries: HashMap::default(), weight: 0, sweep_at: LEAST_SWEEP.min(bound), bound }
    }

    pub(crate) fn get(&mut self, key: Key) -> Option<&mut V> {
        self.entries.get_mut(&key)
    }

    /// Changes an entry. If there is none, inserts the one that `new` makes and changes that.
    pub(crate) fn change<T>(
        &mut self,
        key: Key,
        now: u64,
        new: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> T,
    ) -> T {
        let mut before = 0;
        let entry = self.entries.entry(key).and_modify(|entry| before = entry.weight()).or_insert_with(new);
        let changed = change(entry);
        self.weight = self.weight - before + entry.weight();
        if self.weight >= self.sweep_at {
            self.sweep(now);
        }
        changed
    }

    /// Drops expired entries. If more than three quarters of the bound remain, also drops the quarter of the entries that expires first: their
    /// budgets are the fullest, so little is lost.
    fn sweep(&mut self, now: u64) {
        self.entries.retain(|_, entry| entry.expires_at() > now);
        if self.entries.values().map(V::weight).sum::<usize>() > self.bound / 4 * 3 {
            let mut ends: Vec<_> = self.entries.values().map(V::expires_at).collect();
            let quarter = ends.len() / 4;
            let (_, end, _) = ends.select_nth_unstable(quarter);
            let end = *end;
            self.entries.retain(|_, entry| entry.expires_at() > end);
        }
        self.weight = self.entries.values().map(V::weight).sum();
        self.sweep_at = (self.weight * 2).clamp(LEAST_SWEEP.min(self.bound), self.bound);
        self.entries.shrink_to(self.entries.len() * 2);
    }

    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Until(u64);

    impl Expiring for Until {
        fn expires_at(&self) -> u64 {
            self.0
        }

        fn weight(&self) -> usize {
            1
        }
    }

    #[test]
    fn it_stays_below_its_bound_and_keeps_the_entries_that_expire_last() {
        let (keys, mut map) = (Keys::default(), Bounded::new(4096));
        map.change(keys.key("a", "lasting"), 0, || Until(u64::MAX), |_| ());
        for n in 0..100_000_u64 {
            map.change(keys.key("a", &n.to_string()), 0, || Until(1_000_000 + n), |_| ());
            assert!(map.weight() <= 4096);
        }
        assert!(map.get(keys.key("a", "lasting")).is_some());
        assert!(map.get(keys.key("b", "lasting")).is_none());
        // All other entries have expired by then.
        for n in 0..LEAST_SWEEP as u64 * 4 {
            map.change(keys.key("a", &format!("later {n}")), 2_000_000, || Until(3_000_000), |_| ());
        }
        assert!(map.get(keys.key("a", "99999")).is_none());
    }
}
