//! Turns for what only a few may do at once: who asks waits behind its own namespace, and namespaces take turns.
//!
//! A queue of the whole cluster would make everybody wait for the one who asks most.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedMutexGuard, oneshot};

/// A number of turns.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Callers that wait, by namespace. The namespace that comes next is the first; one that got a turn goes to the end.
    waiting: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A turn, which is given back when this is dropped.
#[derive(Debug)]
pub struct Turn(Option<Turns>);

impl Turns {
    /// `free` turns at the same time.
    #[must_use]
    pub fn new(free: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free, waiting: VecDeque::new() })))
    }

    /// Waits for a turn. A caller that goes away while it waits costs nobody a turn.
    pub async fn take(&self, namespace: &str) -> Turn {
        let turn = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(self.clone()));
            }
            let (sender, turn) = oneshot::channel();
            match state.waiting.iter_mut().find(|(known, _)| known == namespace) {
                Some((_, callers)) => callers.push_back(sender),
                None => state.waiting.push_back((namespace.to_owned(), VecDeque::from([sender]))),
            }
            turn
        };
        match turn.await {
            Ok(turn) => turn,
            // Whoever waits is in the list, and the list drops nobody before a turn was sent.
            Err(_) => std::future::pending().await,
        }
    }

    fn give_back(&self) {
        let mut turn = Turn(Some(self.clone()));
        loop {
            let next = {
                let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let Some((namespace, mut callers)) = state.waiting.pop_front() else {
                    state.free += 1;
                    turn.0 = None;
                    return;
                };
                let next = callers.pop_front();
                if !callers.is_empty() {
                    state.waiting.push_back((namespace, callers));
                }
                next
            };
            // Sent without the lock: a turn that nobody takes comes back here.
            let Some(next) = next else { continue };
            match next.send(turn) {
                Ok(()) => return,
                Err(back) => turn = back,
            }
        }
    }
}

/// One turn for each namespace, for what concerns a namespace alone: none waits for another.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Lanes {
    /// Waits for the turn of a namespace, which is given back when the answer is dropped.
    pub async fn take(&self, namespace: &str) -> OwnedMutexGuard<()> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Only those that somebody has or waits for.
            lanes.retain(|_, lane| lane.strong_count() > 0);
            lanes.get(namespace).and_then(Weak::upgrade).unwrap_or_else(|| {
                let lane = Arc::default();
                lanes.insert(namespace.to_owned(), Arc::downgrade(&lane));
                lane
            })
        };
        lane.lock_owned().await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn namespaces_take_turns_however_many_of_one_wait() {
        let turns = Turns::new(1);
        let first = turns.take("busy").await;
        let mut busy: Vec<_> = (0..8).map(|_| Box::pin(turns.take("busy"))).collect();
        for waiting in &mut busy {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        let mut other = Box::pin(turns.take("other"));
        assert!(other.as_mut().now_or_never().is_none());
        drop(first);
        let second = busy[0].as_mut().now_or_never().unwrap();
        assert!(other.as_mut().now_or_never().is_none());
        drop(second);
        let third = other.as_mut().now_or_never().unwrap();
        assert!(busy[1].as_mut().now_or_never().is_none());
        drop(third);
        assert!(busy[1].as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_costs_nobody_a_turn() {
        let turns = Turns::new(1);
        let held = turns.take("a").await;
        let mut gone = Box::pin(turns.take("b"));
        let mut told = Box::pin(turns.take("b"));
        assert!(gone.as_mut().now_or_never().is_none() && told.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        // The turn was sent and nobody looked at it.
        drop(told);
        assert!(turns.take("c").now_or_never().is_some());
    }
    #[tokio::test]
    async fn a_namespace_waits_for_itself_alone() {
        let lanes = Lanes::default();
        let first = lanes.take("busy").await;
        let mut second = Box::pin(lanes.take("busy"));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(lanes.take("other").now_or_never().is_some());
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
        drop(second);
        drop(lanes.take("other").await);
        assert_eq!(lanes.0.lock().unwrap().len(), 1, "lanes that nobody is in are gone");
    }
}
