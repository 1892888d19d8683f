//! Values that stay good for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Values by key, each with the time at which it was put in. Memory follows the keys that were asked about within the last hour.
#[derive(Debug)]
pub struct Recent<T>(Mutex<HashMap<String, Entry<T>>>);

#[derive(Debug)]
struct Entry<T> {
    since: Instant,
    asked: Instant,
    value: T,
}

const FORGOTTEN: Duration = Duration::from_secs(3600);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Recent<T> {
    /// The value and its age.
    pub fn get(&self, key: &str) -> Option<(T, Duration)> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = values.get_mut(key)?;
        entry.asked = Instant::now();
        Some((entry.value.clone(), entry.since.elapsed()))
    }

    /// Remembers a value.
    pub fn put(&self, key: &str, value: T) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|_, entry| entry.asked.elapsed() < FORGOTTEN);
        let now = Instant::now();
        values.insert(key.to_owned(), Entry { since: now, asked: now, value });
    }

    /// Keeps the values whose keys are wanted.
    pub fn retain(&self, is_wanted: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| is_wanted(key));
    }

    /// Forgets a value.
    pub fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
