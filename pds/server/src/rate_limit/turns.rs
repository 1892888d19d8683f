//! Turns at work that few may do at once, shared among subjects: each subject gets the next turn in rotation, however many of its callers
//! wait.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Turns. Cheap to clone.
#[derive(Clone)]
pub struct Turns(Arc<Shared>);

struct Shared {
    most_waiting: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
    /// The subjects that wait, in the order of their next turns.
    order: VecDeque<String>,
}

/// A turn, until it is dropped.
pub struct Turn(Option<Turns>);

impl Turns {
    /// `at_once` turns at the same time, and `most_waiting` callers that wait for one.
    pub fn new(at_once: usize, most_waiting: usize) -> Self {
        let state = State { free: at_once, waiting: HashMap::new(), order: VecDeque::new() };
        Self(Arc::new(Shared { most_waiting, state: Mutex::new(state) }))
    }

    /// Waits for a turn. `None` if too many wait: a new caller then takes the place of one whose subject has more callers waiting, and of the
    /// last of these. A caller that gives up waiting has no place any more.
    pub async fn next(&self, subject: &str) -> Option<Turn> {
        let waiter = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Some(Turn(Some(self.clone())));
            }
            state.forget_gone();
            if state.count() >= self.0.most_waiting {
                state.displace(subject)?;
            }
            let (sender, receiver) = oneshot::channel();
            let state = &mut *state;
            let own = state.waiting.entry(subject.to_owned()).or_default();
            if own.is_empty() {
                state.order.push_back(subject.to_owned());
            }
            own.push_back(sender);
            receiver
        };
        waiter.await.ok()
    }

    /// Number of turns that nobody has.
    pub fn free(&self) -> usize {
        self.state().free
    }

    /// Number of callers that wait.
    pub fn waiting(&self) -> usize {
        let mut state = self.state();
        state.forget_gone();
        state.count()
    }

    fn give_back(&self) {
        let mut state = self.state();
        while let Some(waiter) = state.pop() {
            match waiter.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                // Its caller gave up. Dropping the turn here would give it back once more.
                Err(mut turn) => turn.0 = None,
            }
        }
        state.free += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    fn forget_gone(&mut self) {
        self.waiting.retain(|_, own| {
            own.retain(|waiter| !waiter.is_closed());
            !own.is_empty()
        });
        let waiting = &self.waiting;
        self.order.retain(|subject| waiting.contains_key(subject));
    }

    /// Ends the wait of the last caller of the subject with most callers, if it has more than `subject` would have.
    fn displace(&mut self, subject: &str) -> Option<()> {
        let own = self.waiting.get(subject).map_or(0, VecDeque::len);
        let (_, most) = self.waiting.iter_mut().max_by_key(|(_, waiters)| waiters.len())?;
        if most.len() <= own + 1 {
            return None;
        }
        most.pop_back();
        Some(())
    }

    /// The next caller, of the subject whose turn it is.
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        let subject = self.order.pop_front()?;
        let own = self.waiting.get_mut(&subject)?;
        let next = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&subject);
        } else {
            self.order.push_back(subject);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.give_back();
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "Turns({} free, {} waiting)", state.free, state.count())
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::BoxFuture};

    use super::*;

    /// A caller that has begun to wait.
    fn wait<'a>(turns: &'a Turns, subject: &'a str) -> BoxFuture<'a, Option<Turn>> {
        let mut waiting = turns.next(subject).boxed();
        assert!((&mut waiting).now_or_never().is_none(), "{subject} got an answer at once");
        waiting
    }

    #[tokio::test]
    async fn subjects_take_turns_however_many_callers_they_have() {
        let turns = Turns::new(1, 100);
        let first = turns.next("a").await.unwrap();
        let greedy: Vec<_> = (0..10).map(|_| wait(&turns, "a")).collect();
        let (other, third) = (wait(&turns, "b"), wait(&turns, "c"));
        drop(first);
        let mut greedy = greedy.into_iter();
        drop(greedy.next().unwrap().await.unwrap());
        drop(other.await.unwrap());
        drop(third.await.unwrap());
        for rest in greedy {
            drop(rest.await.unwrap());
        }
        assert_eq!((turns.free(), turns.waiting()), (1, 0));
    }

    #[tokio::test]
    async fn a_newcomer_takes_the_place_of_whoever_has_most_and_no_one_else() {
        let turns = Turns::new(1, 4);
        let held = turns.next("a").await.unwrap();
        let mut greedy: Vec<_> = (0..4).map(|_| wait(&turns, "a")).collect();
        assert!(turns.next("a").await.is_none(), "its own callers have all places");
        let (b, c) = (wait(&turns, "b"), wait(&turns, "b"));
        assert!(greedy.pop().unwrap().await.is_none() && greedy.pop().unwrap().await.is_none());
        assert!(turns.next("b").await.is_none(), "it would have more than a");
        drop(held);
        drop(greedy.remove(0).await.unwrap());
        drop(b.await.unwrap());
        drop((greedy, c));
        assert_eq!(turns.waiting(), 0, "callers that gave up have no place");
        assert!(turns.next("d").await.is_some());
    }
}
