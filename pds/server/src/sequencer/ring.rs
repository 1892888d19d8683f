//! The newest frames, shared by all subscribers, bounded in bytes.

use std::{
    collections::VecDeque,
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use tokio::sync::watch;

/// A frame as it goes over the wire, with its number.
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

    /// Appends frames in order and drops the oldest beyond the limit.
    pub(super) fn push(&self, frames: Vec<Numbered>) {
        let Some((last, _)) = frames.last() else { return };
        let last = *last;
        {
            let mut window = self.frames.write().unwrap_or_else(PoisonError::into_inner);
            window.bytes += frames.iter().map(|(_, frame)| frame.len()).sum::<usize>();
            window.frames.extend(frames);
            while window.bytes > self.limit {
                let Some((seq, frame)) = window.frames.pop_front() else { break };
                window.bytes -= frame.len();
                window.floor = seq;
            }
        }
        self.head.send_replace(last);
    }

    /// Up to `count` frames after `cursor`; `None` if the ring does not reach back that far.
    pub(super) fn after(&self, cursor: i64, count: usize) -> Option<Vec<Numbered>> {
        let window = self.frames.read().unwrap_or_else(PoisonError::into_inner);
        if cursor < window.floor {
            return None;
        }
        let from = window.frames.partition_point(|(seq, _)| *seq <= cursor);
        Some(window.frames.iter().skip(from).take(count).cloned().collect())
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
        assert_eq!(ring.after(5, 10), Some(vec![]));
        assert_eq!(ring.after(4, 10), None);
        ring.push(frames(6..=8));
        assert_eq!(ring.after(5, 10).unwrap().len(), 3);
        ring.push(frames(9..=10));
        assert_eq!((ring.head(), ring.after(6, 10)), (10, None));
        let seqs: Vec<i64> = ring.after(7, 2).unwrap().iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, [8, 9]);
    }
}
