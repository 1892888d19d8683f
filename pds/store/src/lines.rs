//! Lines in the log that clients can cause by the thousand: so many a second are written, and the next one tells how many were left out.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// For how long `most` lines are the most.
const WHILE: Duration = Duration::from_secs(1);

/// A limit of the lines of one kind, for all clients together.
#[derive(Debug)]
pub struct Lines {
    most: u32,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    since: Option<Instant>,
    count: u32,
    left_out: u64,
}

impl Lines {
    /// `most` lines in each second.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most, written: Mutex::default() }
    }

    /// The number of lines that were left out since the last one, if another one may be written `now`.
    pub fn take(&self, now: Instant) -> Option<u64> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.since.is_none_or(|since| now.duration_since(since) >= WHILE) {
            (written.since, written.count) = (Some(now), 0);
        }
        if written.count == self.most {
            written.left_out += 1;
            return None;
        }
        written.count += 1;
        Some(std::mem::take(&mut written.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_are_written_and_the_others_are_counted() {
        let (lines, now) = (Lines::new(20), Instant::now());
        let written: Vec<_> = (0..1000).filter_map(|_| lines.take(now)).collect();
        assert_eq!(written, [0; 20]);
        assert_eq!(lines.take(now + WHILE), Some(980));
        assert_eq!(lines.take(now + WHILE), Some(0));
    }
}
