//! The newest messages, shared by all subscribers, bounded in bytes.

use std::{
    collections::VecDeque,
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::groups::Groups;

/// A message with its number; several messages in one piece have the number of the last.
pub(super) type Numbered = (i64, Bytes);

/// A window over the end of the sequence.
pub(super) struct Ring {
    window: RwLock<Window>,
    head: watch::Sender<i64>,
    followers: Groups,
    limit: usize,
}

struct Window {
    messages: VecDeque<Numbered>,
    bytes: usize,
    /// Everything above this number, up to the head, is in `messages`.
    floor: i64,
}

impl Window {
    fn behind(head: i64) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, floor: head }
    }
}

impl Ring {
    pub(super) fn new(head: i64, limit: usize) -> Self {
        let window = RwLock::new(Window::behind(head));
        Self { window, head: watch::Sender::new(head), followers: Groups::default(), limit }
    }

    pub(super) fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// A follower's: changes after the head has moved.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.followers.join()
    }

    /// Whether there is a follower.
    pub(super) fn is_watched(&self) -> bool {
        !self.followers.are_empty()
    }

    /// Wakes followers, for ever. The first of them are woken by what moves the head.
    pub(super) async fn wake_followers(&self) {
        let mut head = self.head.subscribe();
        while head.changed().await.is_ok() {
            self.followers.wake_others().await;
        }
    }

    /// Appends those messages that are newer than the last one in the ring, and drops the oldest beyond the limit. There may be a gap before them: a restored
    /// database leaves one.
    pub(super) fn push(&self, messages: Vec<Numbered>) {
        self.extend(messages, |_, _| true);
    }

    /// The same for messages that were stored just now. Does nothing if the ring does not have the ones before them.
    pub(super) fn push_next(&self, messages: Vec<Numbered>) {
        self.extend(messages, |head, first| first == head + 1);
    }

    fn extend(&self, messages: Vec<Numbered>, fits: impl Fn(i64, i64) -> bool) {
        // The head moves under this lock only, so that it never goes back.
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        let mut head = self.head();
        if !messages.first().is_some_and(|(first, _)| fits(head, *first)) {
            return;
        }
        for (seq, message) in messages {
            if seq > head {
                head = seq;
                window.bytes += message.len();
                window.messages.push_back((seq, message));
            }
        }
        while window.bytes > self.limit {
            let Some((seq, message)) = window.messages.pop_front() else { break };
            window.bytes -= message.len();
            window.floor = seq;
        }
        if self.head.send_if_modified(|known| std::mem::replace(known, head) != head) {
            self.followers.wake_first();
        }
    }

    /// Drops all messages.
    pub(super) fn clear(&self) {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        *window = Window::behind(self.head());
    }

    /// Continues after number `head`, unless the ring has newer messages.
    pub(super) fn restart(&self, head: i64) {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        if head > self.head() {
            *window = Window::behind(head);
            self.head.send_replace(head);
            self.followers.wake_first();
        }
    }

    /// Up to `count` messages after `cursor`, with one message more than `bytes` has room for at most; `None` if the ring does not reach back
    /// that far.
    pub(super) fn after(&self, cursor: i64, count: usize, mut bytes: usize) -> Option<Vec<Numbered>> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        if cursor < window.floor {
            return None;
        }
        let from = window.messages.partition_point(|(seq, _)| *seq <= cursor);
        let fits = |(_, message): &&Numbered| {
            let fits = bytes > 0;
            bytes = bytes.saturating_sub(message.len());
            fits
        };
        Some(window.messages.iter().skip(from).take(count).take_while(fits).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(range: std::ops::RangeInclusive<i64>) -> Vec<Numbered> {
        range.map(|seq| (seq, Bytes::from(vec![0; 10]))).collect()
    }

    #[test]
    fn serves_its_window_and_says_when_it_does_not_reach() {
        let ring = Ring::new(5, 30);
        assert_eq!(ring.after(5, 10, 1000), Some(vec![]));
        assert_eq!(ring.after(4, 10, 1000), None);
        ring.push(messages(6..=8));
        assert_eq!(ring.after(5, 10, 1000).unwrap().len(), 3);
        ring.push(messages(9..=10));
        assert_eq!((ring.head(), ring.after(6, 10, 1000)), (10, None));
        let seqs: Vec<i64> = ring.after(7, 2, 1000).unwrap().iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, [8, 9]);
        assert_eq!(ring.after(7, 10, 11).unwrap().len(), 2);
        assert_eq!(ring.after(7, 10, 1).unwrap().len(), 1);
    }

    #[test]
    fn what_is_offered_is_taken_once_and_only_in_order() {
        let ring = Ring::new(5, 1000);
        ring.push_next(messages(7..=8));
        assert_eq!(ring.head(), 5);
        ring.push_next(messages(6..=7));
        ring.push(messages(6..=8));
        ring.push_next(messages(7..=8));
        let seqs = |ring: &Ring, cursor| -> Vec<i64> {
            ring.after(cursor, 10, 1000).unwrap().iter().map(|(seq, _)| *seq).collect()
        };
        assert_eq!(seqs(&ring, 5), [6, 7, 8]);
        // After a restore.
        ring.push(messages(1_000..=1_001));
        assert_eq!(seqs(&ring, 7), [8, 1_000, 1_001]);
    }

    #[test]
    fn after_a_rest_it_holds_what_came_since_and_never_goes_back() {
        let ring = Ring::new(5, 1000);
        ring.push(messages(6..=8));
        ring.clear();
        assert_eq!((ring.head(), ring.after(7, 10, 1000), ring.after(8, 10, 1000)), (8, None, Some(vec![])));
        ring.restart(20);
        assert_eq!((ring.head(), ring.after(19, 10, 1000), ring.after(20, 10, 1000)), (20, None, Some(vec![])));
        ring.push_next(messages(21..=21));
        ring.restart(20);
        assert_eq!((ring.head(), ring.after(20, 10, 1000).unwrap().len()), (21, 1));
    }
}
