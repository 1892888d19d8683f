//! How long to wait after a failure, per object.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const BASE: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(300);

/// Counts failures in a row per object.
#[derive(Debug, Default)]
pub struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// The wait after one more failure: doubling from one second to five minutes, of which a random half.
    pub fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let full = ceiling(*count);
        *count = count.saturating_add(1);
        full.mul_f64(rand::random_range(0.5..1.0))
    }

    /// Keeps what is counted of objects whose uids are wanted.
    pub fn retain(&self, is_wanted: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| is_wanted(uid));
    }

    /// Begins again; also for an object that is gone.
    pub fn reset(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

fn ceiling(failures: u32) -> Duration {
    BASE.saturating_mul(2u32.saturating_pow(failures.min(20))).min(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_five_minutes() {
        let seconds: Vec<_> = (0..11).map(|failures| ceiling(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn success_begins_again() {
        let backoff = Backoff::default();
        for _ in 0..8 {
            backoff.failed("a");
        }
        backoff.reset("a");
        assert!(backoff.failed("a") <= BASE);
    }
}
