//! An amount of something that all clients share, such as bytes of memory. While there is enough, a client may have as much as it asks for. When
//! there is not, whoever has most gives something up.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::Connection;

/// A client: its address as limits count it, and its connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// Empty if only its proxy is known.
    pub subject: Arc<str>,
    /// Closed if the client has to give something up.
    pub connection: Option<Connection>,
}

impl Client {
    /// The client of a request with these extensions; one of whom nothing is known if none was left there.
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(|| Self { subject: "".into(), connection: None })
    }
}

/// What all clients share. Cheap to clone.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    most: usize,
    of_one: usize,
    /// A part on which nothing moved for so long may be given up for any other client.
    patience: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    used: usize,
    all: HashMap<u64, Entry>,
    by_subject: HashMap<Arc<str>, usize>,
}

struct Entry {
    client: Client,
    amount: usize,
    moved: Instant,
}

/// A part of a budget, until it is dropped.
pub struct Part {
    id: u64,
    home: Budget,
}

impl Budget {
    /// `most` for all clients together.
    pub fn new(most: usize) -> Self {
        Self::with(most, usize::MAX, None)
    }

    /// As [`Budget::new`]. A part on which nothing moves for `patience` may be given up for others, whoever has it.
    pub fn of_moving(most: usize, patience: Duration) -> Self {
        Self::with(most, usize::MAX, Some(patience))
    }

    /// As [`Budget::new`]. One client has at most `of_one`, unless only its proxy is known.
    pub fn shared(most: usize, of_one: usize) -> Self {
        Self::with(most, of_one, None)
    }

    fn with(most: usize, of_one: usize, patience: Option<Duration>) -> Self {
        Self(Arc::new(Shared { most, of_one, patience, state: Mutex::default() }))
    }

    /// A part. If there is not enough, the client with most gives up the part on which nothing moved for longest, as long as it keeps more than
    /// this one would have. `None` if that is not enough.
    pub fn take(&self, client: &Client, amount: usize) -> Option<Part> {
        let mut state = self.state();
        let id = state.next;
        self.make_room(&mut state, &client.subject, amount, id)?;
        state.next += 1;
        state.all.insert(id, Entry { client: client.clone(), amount: 0, moved: Instant::now() });
        state.add(id, amount);
        Some(Part { id, home: self.clone() })
    }

    /// What is in use.
    pub fn used(&self) -> usize {
        self.state().used
    }

    fn make_room(&self, state: &mut State, subject: &str, amount: usize, id: u64) -> Option<()> {
        let own = state.by_subject.get(subject).copied().unwrap_or(0);
        if !subject.is_empty() && own.saturating_add(amount) > self.0.of_one && own > 0 {
            return None;
        }
        // One part that is larger than everything is let through when there is no other.
        while state.used.saturating_add(amount) > self.0.most && state.all.keys().any(|other| *other != id) {
            let victim = state.largest(subject, amount, id).or_else(|| state.stuck(self.0.patience?, id))?;
            if let Some(connection) = state.remove(victim).and_then(|entry| entry.client.connection) {
                connection.close();
            }
        }
        Some(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The part, on which nothing moved for longest, of the client with most.
    fn largest(&self, subject: &str, amount: usize, id: u64) -> Option<u64> {
        let own = self.by_subject.get(subject).copied().unwrap_or(0);
        let (largest, most) = self.by_subject.iter().max_by_key(|(_, amount)| **amount)?;
        if &**largest == subject || *most <= own.saturating_add(amount) {
            return None;
        }
        let parts = self.all.iter().filter(|(other, entry)| **other != id && entry.client.subject == *largest);
        parts.min_by_key(|(_, entry)| entry.moved).map(|(id, _)| *id)
    }

    fn stuck(&self, patience: Duration, id: u64) -> Option<u64> {
        let others = self.all.iter().filter(|(other, _)| **other != id);
        let (slowest, entry) = others.min_by_key(|(_, entry)| entry.moved)?;
        (entry.moved.elapsed() >= patience).then_some(*slowest)
    }

    fn add(&mut self, id: u64, amount: usize) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.amount += amount;
            self.used += amount;
            *self.by_subject.entry(entry.client.subject.clone()).or_default() += amount;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.all.remove(&id)?;
        self.used -= entry.amount;
        if let Some(own) = self.by_subject.get_mut(&entry.client.subject) {
            *own -= entry.amount;
            if *own == 0 {
                self.by_subject.remove(&entry.client.subject);
            }
        }
        Some(entry)
    }
}

impl Part {
    /// Adds to the part. `false` if there is not enough, or if the part was given up.
    pub fn grow(&self, amount: usize) -> bool {
        let mut state = self.home.state();
        let Some(entry) = state.all.get_mut(&self.id) else { return false };
        entry.moved = Instant::now();
        let subject = entry.client.subject.clone();
        let fits = self.home.make_room(&mut state, &subject, amount, self.id).is_some();
        if fits {
            state.add(self.id, amount);
        }
        fits
    }

    /// Records that the client made progress. `false` if the part was given up.
    pub fn moved(&self) -> bool {
        let mut state = self.home.state();
        let entry = state.all.get_mut(&self.id);
        entry.map(|entry| entry.moved = Instant::now()).is_some()
    }
}

impl Part {
    /// The same bytes. The part lasts at least as long as they do, wherever they wait to be sent.
    pub fn hold(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        Bytes::from_owner(HeldBytes { bytes, _part: self.clone() })
    }
}

struct HeldBytes {
    bytes: Bytes,
    _part: Arc<Part>,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.home.state().remove(self.id);
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {})", self.used(), self.0.most)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Part")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(subject: &str) -> Client {
        Client { subject: subject.into(), connection: None }
    }

    #[test]
    fn whoever_has_most_gives_up_what_moved_least() {
        let budget = Budget::new(100);
        let greedy: Vec<_> = (0..10).map(|_| budget.take(&client("a"), 10).unwrap()).collect();
        assert!(budget.take(&client("a"), 10).is_none(), "nobody gives up anything for its own other parts");
        assert!(greedy[0].moved());
        let other = budget.take(&client("b"), 20).unwrap();
        assert!(greedy[0].moved() && !greedy[1].moved() && !greedy[2].moved());
        assert!(other.moved() && budget.used() == 100);
        assert!(other.grow(20), "a has 80");
        assert!(budget.take(&client("c"), 70).is_none(), "it would have more than a");
        drop((greedy, other));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_part_larger_than_everything_is_let_through_alone() {
        let budget = Budget::new(10);
        let large = budget.take(&client("a"), 50).unwrap();
        assert!(budget.take(&client("a"), 1).is_none());
        let other = budget.take(&client("b"), 1).unwrap();
        assert!(!large.moved() && other.moved());
    }

    #[test]
    fn a_part_on_which_nothing_moves_is_given_up_for_anybody() {
        let budget = Budget::of_moving(10, Duration::ZERO);
        let slow = budget.take(&client("a"), 5).unwrap();
        let own = budget.take(&client("a"), 5).unwrap();
        assert!(own.moved());
        assert!(budget.take(&client("a"), 5).is_some() && !slow.moved());
    }

    #[test]
    fn one_client_gets_its_share() {
        let budget = Budget::shared(4, 2);
        let _own = [budget.take(&client("a"), 1).unwrap(), budget.take(&client("a"), 1).unwrap()];
        assert!(budget.take(&client("a"), 1).is_none());
        let proxy: Vec<_> = (0..2).map(|_| budget.take(&client(""), 1).unwrap()).collect();
        assert!(budget.take(&client("b"), 1).is_some(), "a or the proxy gives up one");
        drop(proxy);
    }
}
