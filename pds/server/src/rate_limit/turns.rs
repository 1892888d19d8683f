//! Turns at work that few may do at once, shared among subjects: each subject gets the next turn in rotation, however many of its callers
//! wait, and may be limited to a share of the turns.

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
    /// Turns of one subject at the same time.
    of_one: usize,
    most_waiting: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    /// Turns that each subject has.
    taken: HashMap<String, usize>,
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
    /// The subjects that wait, in the order of their next turns.
    order: VecDeque<String>,
}

/// A turn, until it is dropped.
pub struct Turn {
    subject: String,
    home: Option<Turns>,
}

impl Turns {
    /// `at_once` turns at the same time, and `most_waiting` callers that wait for one.
    pub fn new(at_once: usize, most_waiting: usize) -> Self {
        Self::shared(at_once, at_once, most_waiting)
    }

    /// As [`Turns::new`]. One subject has at most `of_one` turns at the same time, unless it is empty.
    pub fn shared(at_once: usize, of_one: usize, most_waiting: usize) -> Self {
        let (taken, waiting, order) = (HashMap::new(), HashMap::new(), VecDeque::new());
        let state = Mutex::new(State { free: at_once, taken, waiting, order });
        Self(Arc::new(Shared { of_one, most_waiting, state }))
    }

    /// Waits for a turn. `None` if too many wait: a new caller then takes the place of one whose subject has more callers waiting, and of the
    /// last of these. A caller that gives up waiting has no place any more.
    pub async fn next(&self, subject: &str) -> Option<Turn> {
        let waiter = {
            let mut state = self.state();
            if state.may_take(subject, self.0.of_one) {
                state.take(subject);
                return Some(self.turn(subject));
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

    fn turn(&self, subject: &str) -> Turn {
        Turn { subject: subject.to_owned(), home: Some(self.clone()) }
    }

    fn give_back(&self, subject: &str) {
        let mut state = self.state();
        state.put_back(subject);
        while let Some((subject, waiter)) = state.pop(self.0.of_one) {
            state.take(&subject);
            if let Err(mut turn) = waiter.send(self.turn(&subject)) {
                // Its caller gave up. Dropping the turn here would wait for this very lock.
                turn.home = None;
                state.put_back(&subject);
            }
        }
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

    fn may_take(&self, subject: &str, of_one: usize) -> bool {
        let taken = self.taken.get(subject).copied().unwrap_or(0);
        self.free > 0 && (taken < of_one || subject.is_empty())
    }

    fn take(&mut self, subject: &str) {
        self.free -= 1;
        *self.taken.entry(subject.to_owned()).or_default() += 1;
    }

    fn put_back(&mut self, subject: &str) {
        self.free += 1;
        if let Some(taken) = self.taken.get_mut(subject) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(subject);
            }
        }
    }

    /// The next caller that may have a turn, of the first subject in the rotation that has one.
    fn pop(&mut self, of_one: usize) -> Option<(String, oneshot::Sender<Turn>)> {
        let at = self.order.iter().position(|subject| self.may_take(subject, of_one))?;
        let subject = self.order.remove(at)?;
        let own = self.waiting.get_mut(&subject)?;
        let next = own.pop_front()?;
        if own.is_empty() {
            self.waiting.remove(&subject);
        } else {
            self.order.push_back(subject.clone());
        }
        Some((subject, next))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.home.take() {
            turns.give_back(&self.subject);
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

    #[tokio::test]
    async fn a_subject_with_its_share_leaves_the_other_turns_to_others() {
        let turns = Turns::shared(4, 2, 100);
        let own = [turns.next("a").await.unwrap(), turns.next("a").await.unwrap()];
        let (third, fourth) = (wait(&turns, "a"), wait(&turns, "a"));
        let other = turns.next("b").await.unwrap();
        let unknown = [turns.next("").await.unwrap()];
        let (later, last) = (wait(&turns, "b"), wait(&turns, "b"));
        // The turn of somebody else is not for a subject that has its share.
        drop(unknown);
        let later = later.await.unwrap();
        drop(later);
        let last = last.await.unwrap();
        drop(last);
        assert_eq!((turns.free(), turns.waiting()), (1, 2));
        drop(own);
        drop((third.await.unwrap(), fourth.await.unwrap(), other));
        assert_eq!((turns.free(), turns.waiting()), (4, 0));
    }
}
