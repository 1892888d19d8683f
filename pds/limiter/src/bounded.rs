//! A map that forgets what is over, and never grows beyond its bound.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

/// What an entry is known by: a keyed hash of limit and subject, so that nobody can make two of them meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64);

/// Makes keys; each process has its own secret.
#[derive(Debug, Default)]
pub(crate) struct Keys(RandomState);

impl Keys {
    pub(crate) fn key(&self, limit: &str, subject: &str) -> Key {
        Key(self.0.hash_one((limit, subject)))
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// What is over can be forgotten; the rest weighs something.
pub(crate) trait Passing {
    /// When it is over.
    fn until(&self) -> u64;
    /// In units of [`Bounded`]'s bound.
    fn weight(&self) -> usize;
}

#[derive(Debug)]
pub(crate) struct Bounded<V> {
    entries: HashMap<Key, V, BuildHasherDefault<AsItIs>>,
    weight: usize,
    /// At this weight what is over is looked for.
    sweep_at: usize,
    bound: usize,
}

/// Below this, sweeping is not worth its time.
const LEAST_SWEEP: usize = 1024;

impl<V: Passing> Bounded<V> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { entries: HashMap::default(), weight: 0, sweep_at: LEAST_SWEEP.min(bound), bound }
    }

    pub(crate) fn get(&mut self, key: Key) -> Option<&mut V> {
        self.entries.get_mut(&key)
    }

    /// Changes an entry, or the one that `new` makes.
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

    /// Drops what is over and, if that is not enough, the quarter that is over first: it says least about anybody.
    fn sweep(&mut self, now: u64) {
        self.entries.retain(|_, entry| entry.until() > now);
        if self.entries.values().map(V::weight).sum::<usize>() > self.bound / 4 * 3 {
            let mut ends: Vec<_> = self.entries.values().map(V::until).collect();
            let quarter = ends.len() / 4;
            let (_, end, _) = ends.select_nth_unstable(quarter);
            let end = *end;
            self.entries.retain(|_, entry| entry.until() > end);
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

    impl Passing for Until {
        fn until(&self) -> u64 {
            self.0
        }

        fn weight(&self) -> usize {
            1
        }
    }

    #[test]
    fn it_never_outgrows_its_bound_and_keeps_what_lasts_longest() {
        let (keys, mut map) = (Keys::default(), Bounded::new(4096));
        map.change(keys.key("a", "lasting"), 0, || Until(u64::MAX), |_| ());
        for n in 0..100_000_u64 {
            map.change(keys.key("a", &n.to_string()), 0, || Until(1_000_000 + n), |_| ());
            assert!(map.weight() <= 4096);
        }
        assert!(map.get(keys.key("a", "lasting")).is_some());
        assert!(map.get(keys.key("b", "lasting")).is_none());
        // Everything else is over by then.
        for n in 0..LEAST_SWEEP as u64 * 4 {
            map.change(keys.key("a", &format!("later {n}")), 2_000_000, || Until(3_000_000), |_| ());
        }
        assert!(map.get(keys.key("a", "99999")).is_none());
    }
}
