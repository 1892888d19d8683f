//! The newest messages, shared by all subscribers, bounded in bytes.

use std::{
    collections::VecDeque,
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use tokio::sync::watch;

/// A message with its number; where it is several in one piece, with that of the last.
pub(super) type Numbered = (i64, Bytes);

/// A window over the end of the sequence.
pub(super) struct Ring {
    frames: RwLock<Window>,
    head: watch::Sender<i64>,
    limit: usize,
}

struct Window {
    frames: VecDeque<Numbered>,
    bytes: usize,
    /// Everything above this number, up to the head, is in `frames`.
    floor: i64,
}

impl Ring {
    pub(super) fn new(head: i64, limit: usize) -> Self {
        let window = Window { frames: VecDeque::new(), bytes: 0, floor: head };
        Self { frames: RwLock::new(window), head: watch::Sender::new(head), limit }
    }

    pub(super) fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Changes when the head moves.
    pub(super) fn watch(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Does anybody?
    pub(super) fn is_watched(&self) -> bool {
        self.head.receiver_count() > 0
    }

    /// Appends frames as they were read, as far as they are new, and drops the oldest beyond the limit. There may be a gap before them: a
    /// restored database leaves one.
    pub(super) fn push(&self, frames: Vec<Numbered>) {
        self.extend(frames, |_, _| true);
    }

    /// The same with frames that were stored just now, unless others come before them.
    pub(super) fn push_next(&self, frames: Vec<Numbered>) {
        self.extend(frames, |head, first| first == head + 1);
    }

    fn extend(&self, frames: Vec<Numbered>, fits: impl Fn(i64, i64) -> bool) {
        // The head moves under this lock only, so that it never goes back.
        let mut window = self.frames.write().unwrap_or_else(PoisonError::into_inner);
        let mut head = self.head();
        if !frames.first().is_some_and(|(first, _)| fits(head, *first)) {
            return;
        }
        for (seq, frame) in frames {
            if seq > head {
                head = seq;
                window.bytes += frame.len();
                window.frames.push_back((seq, frame));
            }
        }
        while window.bytes > self.limit {
            let Some((seq, frame)) = window.frames.pop_front() else { break };
            window.bytes -= frame.len();
            window.floor = seq;
        }
        self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
    }

    /// Forgets the frames.
    pub(super) fn clear(&self) {
        let mut window = self.frames.write().unwrap_or_else(PoisonError::into_inner);
        *window = Window { frames: VecDeque::new(), bytes: 0, floor: self.head() };
    }

    /// Goes on behind `head`, unless there is something newer already.
    pub(super) fn restart(&self, head: i64) {
        let mut window = self.frames.write().unwrap_or_else(PoisonError::into_inner);
        if head > self.head() {
            *window = Window { frames: VecDeque::new(), bytes: 0, floor: head };
            self.head.send_replace(head);
        }
    }

    /// Up to `count` messages after `cursor`, and few more than there is room for in so many bytes; `None` if the ring does not reach back
    /// that far.
    pub(super) fn after(&self, cursor: i64, count: usize, mut bytes: usize) -> Option<Vec<Numbered>> {
        let window = self.frames.read().unwrap_or_else(PoisonError::into_inner);
        if cursor < window.floor {
            return None;
        }
        let from = window.frames.partition_point(|(seq, _)| *seq <= cursor);
        let fits = |(_, message): &&Numbered| {
            let fits = bytes > 0;
            bytes = bytes.saturating_sub(message.len());
            fits
        };
        Some(window.frames.iter().skip(from).take(count).take_while(fits).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(range: std::ops::RangeInclusive<i64>) -> Vec<Numbered> {
        range.map(|seq| (seq, Bytes::from(vec![0; 10]))).collect()
    }

    #[test]
    fn serves_its_window_and_says_when_it_does_not_reach() {
        let ring = Ring::new(5, 30);
        assert_eq!(ring.after(5, 10, 1000), Some(vec![]));
        assert_eq!(ring.after(4, 10, 1000), None);
        ring.push(frames(6..=8));
        assert_eq!(ring.after(5, 10, 1000).unwrap().len(), 3);
        ring.push(frames(9..=10));
        assert_eq!((ring.head(), ring.after(6, 10, 1000)), (10, None));
        let seqs: Vec<i64> = ring.after(7, 2, 1000).unwrap().iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, [8, 9]);
        assert_eq!(ring.after(7, 10, 11).unwrap().len(), 2);
        assert_eq!(ring.after(7, 10, 1).unwrap().len(), 1);
    }

    #[test]
    fn what_is_offered_is_taken_once_and_only_in_order() {
        let ring = Ring::new(5, 1000);
        ring.push_next(frames(7..=8));
        assert_eq!(ring.head(), 5);
        ring.push_next(frames(6..=7));
        ring.push(frames(6..=8));
        ring.push_next(frames(7..=8));
        let seqs = |ring: &Ring, cursor| -> Vec<i64> {
            ring.after(cursor, 10, 1000).unwrap().iter().map(|(seq, _)| *seq).collect()
        };
        assert_eq!(seqs(&ring, 5), [6, 7, 8]);
        // After a restore.
        ring.push(frames(1_000..=1_001));
        assert_eq!(seqs(&ring, 7), [8, 1_000, 1_001]);
    }

    #[test]
    fn after_a_rest_it_holds_what_came_since_and_never_goes_back() {
        let ring = Ring::new(5, 1000);
        ring.push(frames(6..=8));
        ring.clear();
        assert_eq!((ring.head(), ring.after(7, 10, 1000), ring.after(8, 10, 1000)), (8, None, Some(vec![])));
        ring.restart(20);
        assert_eq!((ring.head(), ring.after(19, 10, 1000), ring.after(20, 10, 1000)), (20, None, Some(vec![])));
        ring.push_next(frames(21..=21));
        ring.restart(20);
        assert_eq!((ring.head(), ring.after(20, 10, 1000).unwrap().len()), (21, 1));
    }
}
