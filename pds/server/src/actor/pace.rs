//! Pauses in long reads, so that they leave the database time for others.
//!
//! The processes of PostgreSQL have the priority of all others, whoever they work for. A read that pauses for as long as it has worked takes half of a
//! core instead of a whole one.

use std::{
    thread,
    time::{Duration, Instant},
};

/// The longest pause.
const LONGEST: Duration = Duration::from_millis(50);

/// Measures how long a read has worked since its last pause.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self { since: Instant::now() }
    }
}

impl Pace {
    /// Pauses for as long as the read has worked. Blocks: for background threads, where the reader of rows asks for none meanwhile.
    pub(super) fn pause(&mut self) {
        thread::sleep(self.since.elapsed().min(LONGEST));
        self.since = Instant::now();
    }

    /// Begins to measure anew.
    pub(super) fn restart(&mut self) {
        self.since = Instant::now();
    }
}

/// A collection that pauses between portions of what it takes in.
#[derive(Debug)]
pub(super) struct Paced<T> {
    pub(super) inner: T,
    pace: Pace,
    taken: usize,
}

/// Entries of a repository that are read without a pause. Most repositories have less.
const WITHOUT_PAUSE: usize = 20_000;

/// Entries between two pauses afterwards, a few milliseconds of work: what others ask of the database meanwhile waits no longer.
const PORTION: usize = 1_000;

impl<T> Paced<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, pace: Pace::default(), taken: 0 }
    }
}

impl<T: Extend<A>, A> Extend<A> for Paced<T> {
    fn extend<I: IntoIterator<Item = A>>(&mut self, items: I) {
        for item in items {
            self.inner.extend([item]);
            self.taken += 1;
            if self.taken == WITHOUT_PAUSE {
                self.pace.restart();
            } else if self.taken > WITHOUT_PAUSE && self.taken.is_multiple_of(PORTION) {
                self.pace.pause();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_taken_and_a_pause_is_as_long_as_the_work() {
        let mut paced = Paced::new(Vec::new());
        paced.extend(0..WITHOUT_PAUSE + 2 * PORTION + 1);
        assert_eq!(paced.inner.len(), WITHOUT_PAUSE + 2 * PORTION + 1);
        let mut pace = Pace { since: Instant::now() - Duration::from_millis(5) };
        let began = Instant::now();
        pace.pause();
        assert!(began.elapsed() >= Duration::from_millis(5));
    }
}
