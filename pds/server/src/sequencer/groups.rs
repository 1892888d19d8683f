//! Followers in groups, so that an event does not make all of them ready in one moment: whatever became ready behind a thousand followers would wait for
//! all of them.

use std::sync::{PoisonError, RwLock};

use tokio::{sync::watch, task::yield_now};

/// Number of followers that are woken together.
const MEMBERS: usize = 32;

/// The followers of the firehose, in groups of at most [`MEMBERS`].
#[derive(Debug)]
pub(super) struct Groups(RwLock<Vec<watch::Sender<()>>>);

impl Default for Groups {
    fn default() -> Self {
        Self(RwLock::new(vec![watch::Sender::default()]))
    }
}

impl Groups {
    /// Joins the first group that has room. The receiver changes after each event, and the follower has left when the receiver is dropped.
    pub(super) fn join(&self) -> watch::Receiver<()> {
        let mut groups = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.iter().find(|group| group.receiver_count() < MEMBERS) {
            return group.subscribe();
        }
        let group = watch::Sender::default();
        let member = group.subscribe();
        groups.push(group);
        member
    }

    pub(super) fn are_empty(&self) -> bool {
        let groups = self.0.read().unwrap_or_else(PoisonError::into_inner);
        groups.iter().all(|group| group.receiver_count() == 0)
    }

    /// Wakes the first group. With few followers it is the only one.
    pub(super) fn wake_first(&self) {
        self.wake(0);
    }

    /// Wakes all groups but the first. Between two of them other tasks have their turn.
    pub(super) async fn wake_others(&self) {
        let mut group = 1;
        while self.wake(group) {
            group += 1;
            yield_now().await;
        }
    }

    /// False if there is no such group.
    fn wake(&self, number: usize) -> bool {
        let groups = self.0.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(number).map(|group| group.send_replace(())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_member_is_woken_and_places_are_taken_again() {
        let groups = Groups::default();
        assert!(groups.are_empty());
        let mut members: Vec<_> = (0..3 * MEMBERS).map(|_| groups.join()).collect();
        assert!(!groups.are_empty());
        groups.wake_first();
        let woken = |members: &[watch::Receiver<()>]| members.iter().filter(|it| it.has_changed().unwrap()).count();
        assert_eq!(woken(&members), MEMBERS);
        groups.wake_others().await;
        assert_eq!(woken(&members), 3 * MEMBERS);

        members.truncate(MEMBERS - 1);
        members.push(groups.join());
        groups.wake_first();
        assert!(members.pop().unwrap().has_changed().unwrap(), "it has joined the first group");
        assert_eq!(groups.0.read().unwrap().len(), 3);
        members.clear();
        assert!(groups.are_empty());
    }
}
