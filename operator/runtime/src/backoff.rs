//! How long to wait after a failure, per object.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const BASE: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(300);

/// Counts failures in a row per object.
#[derive(Debug, Default)]
pub struct Backoff(Mutex<HashMap<String, Failures>>);

#[derive(Debug)]
struct Failures {
    count: u32,
    /// When the pause after the last one that counted is over.
    until: Instant,
}

impl Backoff {
    /// The wait after one more failure: doubling from one second to five minutes, of which a random half. A failure before the last wait was over, for
    /// example because an object changed meanwhile, makes no wait longer: what is left of that one is given.
    pub fn failed(&self, uid: &str) -> Duration {
        self.failed_at(uid, Instant::now())
    }

    fn failed_at(&self, uid: &str, now: Instant) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures.entry(uid.to_owned()).or_insert(Failures { count: 0, until: now });
        if now < known.until {
            return known.until - now;
        }
        let wait = ceiling(known.count).mul_f64(rand::random_range(0.5..1.0));
        *known = Failures { count: known.count.saturating_add(1), until: now + wait };
        wait
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
        let (backoff, mut now) = (Backoff::default(), Instant::now());
        for _ in 0..8 {
            now += backoff.failed_at("a", now);
        }
        assert!(backoff.failed_at("a", now) >= Duration::from_secs(64));
        backoff.reset("a");
        assert!(backoff.failed_at("a", now) <= BASE);
    }

    /// An object that changes all the time is tried again each time.
    #[test]
    fn failures_before_the_wait_is_over_make_it_no_longer() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let first = backoff.failed_at("a", now);
        for tenth in 1..10 {
            let passed = first * tenth / 10;
            assert_eq!(backoff.failed_at("a", now + passed), first - passed);
        }
        let second = backoff.failed_at("a", now + first);
        assert!((BASE..=BASE * 2).contains(&second), "{second:?}");
    }
}
