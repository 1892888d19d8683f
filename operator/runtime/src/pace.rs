//! How often one object is reconciled: many times in a row, and then at intervals.
//!
//! Whoever may write an object, or one that it uses, decides how often it changes. A reconciliation costs the API server and the operator the same each
//! time; the newest state is all that matters.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Reconciliations of an object that may follow each other at once. A new instance needs about a quarter of them.
const BURST: u32 = 100;
/// Time that pays for one reconciliation.
const EVERY: Duration = Duration::from_secs(2);

/// When each object may be reconciled again.
#[derive(Debug, Default)]
pub struct Pace(Mutex<HashMap<String, Instant>>);

impl Pace {
    /// Counts a reconciliation of an object. If it has had too many, it is not counted, and this is the time after which the next one is due.
    pub fn wait(&self, uid: &str) -> Option<Duration> {
        self.wait_at(uid, Instant::now())
    }

    fn wait_at(&self, uid: &str, now: Instant) -> Option<Duration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // When everything that was counted is paid for.
        let paid = known.entry(uid.to_owned()).or_insert(now);
        let from = (*paid).max(now);
        let ahead = from - now;
        let most = EVERY * (BURST - 1);
        if ahead > most {
            return Some(ahead - most);
        }
        *paid = from + EVERY;
        None
    }

    /// Keeps what is known of objects whose uids are wanted.
    pub fn retain(&self, is_wanted: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| is_wanted(uid));
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P1 of the ninth attack.
    #[test]
    fn an_object_that_changes_all_the_time_has_its_burst_and_then_one_every_two_seconds() {
        let (pace, start) = (Pace::default(), Instant::now());
        let done = |from: u64, to: u64| {
            let times = (from..to).map(|tenth| start + Duration::from_millis(100 * tenth));
            times.filter(|now| pace.wait_at("a", *now).is_none()).count()
        };
        let first = u32::try_from(done(0, 300)).unwrap();
        assert!((BURST..=BURST + 16).contains(&first), "{first} in 30 s");
        assert_eq!(done(300, 900), 30, "in a minute");
        assert_eq!(pace.wait_at("b", start), None, "others are not concerned");
    }

    #[test]
    fn the_wait_ends_when_it_says_so() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(pace.wait_at("a", start), None);
        }
        let wait = pace.wait_at("a", start).unwrap();
        assert_eq!(wait, EVERY);
        assert_eq!(pace.wait_at("a", start + wait / 2), Some(wait / 2), "asking costs nothing");
        assert_eq!(pace.wait_at("a", start + wait), None);
    }

    #[test]
    fn an_object_at_rest_has_its_burst_again() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..BURST {
            pace.wait_at("a", start);
        }
        let later = start + EVERY * BURST;
        assert!((0..BURST).all(|_| pace.wait_at("a", later).is_none()));
    }
}
