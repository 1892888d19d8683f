//! How many reconciliations run at the same time, and whose.
//!
//! No namespace takes more than half of the places. One that has had several places for a while has a few only, as long as others that had less have
//! something to do: whoever changes objects all the time slows down itself.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::cache::Key;

/// A namespace is busy that has used so much more than one place all the time, as the sum of the times of its places.
const BUSY: Duration = Duration::from_secs(10);
/// What a namespace has used counts up to this, so that it is forgotten after as long without work.
const MOST: Duration = Duration::from_secs(60);
/// Places of a busy namespace while another one that is not busy is active.
const FEW: u32 = 2;
/// For how long after its last reconciliation a namespace is active.
const ACTIVE: Duration = Duration::from_secs(10);

/// The places for reconciliations.
#[derive(Clone, Debug)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Told when an object is reconciled or held no more.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    free: u32,
    /// How many one namespace takes at most.
    per_namespace: u32,
    namespaces: HashMap<String, Namespace>,
    /// Those that wait for a place, in the order in which they came.
    waiting: Vec<(String, oneshot::Sender<Taken>)>,
    /// The objects that have a place, wait for one, or are held. Of one object one reconciliation runs at a time.
    busy: HashSet<Key>,
}

/// What a namespace has, and has had.
#[derive(Debug)]
struct Namespace {
    places: u32,
    /// What it has used beyond one place.
    used: Duration,
    counted: Instant,
    /// When it last asked for a place or gave one back.
    asked: Instant,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    _taken: Taken,
    _hold: Hold,
}

#[derive(Debug)]
struct Taken(Option<Places>, String);

/// An object that nobody else reconciles until this is dropped.
#[derive(Debug)]
pub struct Hold(Places, Key);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.state().busy.remove(&self.1);
        self.0.0.freed.notify_waiters();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(places) = self.0.take() {
            places.state().give_back(&self.1, Instant::now());
            places.give();
        }
    }
}

impl Places {
    /// `all` places, of which one namespace takes at most half.
    #[must_use]
    pub fn new(all: u16) -> Self {
        let (free, per_namespace) = (all.into(), u32::from(all.div_ceil(2).max(1)));
        let state =
            State { free, per_namespace, namespaces: HashMap::new(), waiting: Vec::new(), busy: HashSet::new() };
        Self(Arc::new(Inner { state: Mutex::new(state), freed: Notify::new() }))
    }

    /// Waits for a place. Of several that wait, the one whose namespace has used the least comes first, and otherwise the one that came first. A
    /// caller that goes away while it waits costs nobody a place.
    pub async fn take(&self, namespace: &str, name: &str) -> Place {
        let hold = loop {
            let freed = self.0.freed.notified();
            if let Some(hold) = self.hold(namespace, name) {
                break hold;
            }
            freed.await;
        };
        let (sender, taken) = oneshot::channel();
        {
            let mut state = self.state();
            let now = Instant::now();
            let new = || Namespace { places: 0, used: Duration::ZERO, counted: now, asked: now };
            state.namespaces.entry(namespace.to_owned()).or_insert_with(new).asked = now;
            state.waiting.push((namespace.to_owned(), sender));
        }
        self.give();
        match taken.await {
            Ok(taken) => Place { _taken: taken, _hold: hold },
            // Whoever waits is in the list, and the list drops nobody before a place was sent.
            Err(_) => std::future::pending().await,
        }
    }

    /// Keeps an object from being reconciled; nothing if a reconciliation runs or waits for its place.
    #[must_use]
    pub fn hold(&self, namespace: &str, name: &str) -> Option<Hold> {
        let key = (namespace.to_owned(), name.to_owned());
        let is_free = self.state().busy.insert(key.clone());
        is_free.then(|| Hold(self.clone(), key))
    }

    /// Gives free places to those that wait.
    fn give(&self) {
        loop {
            let Some((namespace, sender)) = self.state().next(Instant::now()) else { return };
            // Sent without the lock: a place that nobody takes comes back here.
            if let Err(mut taken) = sender.send(Taken(Some(self.clone()), namespace)) {
                taken.0 = None;
                self.state().give_back(&taken.1, Instant::now());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a place for the one that comes next.
    fn next(&mut self, now: Instant) -> Option<(String, oneshot::Sender<Taken>)> {
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        if self.free == 0 || self.waiting.is_empty() {
            return None;
        }
        self.count(now);
        let is_waiting: HashSet<_> = self.waiting.iter().map(|(name, _)| name.as_str()).collect();
        let is_active = |name: &str, namespace: &Namespace| {
            namespace.places > 0 || is_waiting.contains(name) || now - namespace.asked < ACTIVE
        };
        self.namespaces.retain(|name, namespace| !namespace.used.is_zero() || is_active(name, namespace));
        let is_busy = |namespace: &Namespace| namespace.used > BUSY;
        let others = self.namespaces.iter().any(|(name, other)| !is_busy(other) && is_active(name, other));
        let may = |name: &str| {
            let namespace = self.namespaces.get(name)?;
            let most = if others && is_busy(namespace) { FEW } else { self.per_namespace };
            (namespace.places < most.min(self.per_namespace)).then_some(namespace.used)
        };
        let candidates = self.waiting.iter().enumerate();
        let candidates = candidates.filter_map(|(index, (name, _))| Some((may(name)?, index)));
        let (_, index) = candidates.min()?;
        let (name, sender) = self.waiting.remove(index);
        self.free -= 1;
        if let Some(namespace) = self.namespaces.get_mut(&name) {
            namespace.places += 1;
        }
        Some((name, sender))
    }

    fn give_back(&mut self, name: &str, now: Instant) {
        self.count(now);
        self.free += 1;
        if let Some(namespace) = self.namespaces.get_mut(name) {
            namespace.places -= 1;
            namespace.asked = now;
        }
    }

    /// Adds up what namespaces have used since the last time.
    fn count(&mut self, now: Instant) {
        for namespace in self.namespaces.values_mut() {
            let passed = now.saturating_duration_since(namespace.counted);
            namespace.counted = now;
            namespace.used = match namespace.places {
                0 => namespace.used.saturating_sub(passed),
                places => namespace.used.saturating_add(passed.saturating_mul(places - 1)).min(MOST),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_namespace_takes_half_of_the_places_and_leaves_the_rest() {
        let places = Places::new(4);
        let busy = [places.take("busy", "x").await, places.take("busy", "y").await];
        assert!(places.take("busy", "z").now_or_never().is_none());
        let others = [places.take("a", "x").now_or_never().unwrap(), places.take("b", "x").now_or_never().unwrap()];
        assert!(places.take("c", "x").now_or_never().is_none(), "all places are taken");
        drop(busy);
        assert!(places.take("busy", "z").now_or_never().is_some());
        drop(others);
        assert!(Places::new(1).take("a", "x").now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_instance_cannot_be_held_while_it_has_a_place_or_waits_for_one() {
        let places = Places::new(1);
        let place = places.take("a", "one").await;
        let mut waits = Box::pin(places.take("a", "two"));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(places.hold("a", "one").is_none() && places.hold("a", "two").is_none());
        assert!(places.hold("b", "one").is_some());
        drop(waits);
        drop(place);
        assert!(places.hold("a", "one").is_some() && places.hold("a", "two").is_some());
    }

    #[tokio::test]
    async fn an_instance_that_is_held_waits_and_takes_no_place_meanwhile() {
        let places = Places::new(1);
        let hold = places.hold("a", "one").unwrap();
        let mut waits = Box::pin(places.take("a", "one"));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(places.take("a", "two").now_or_never().is_some());
        drop(hold);
        assert!(waits.as_mut().now_or_never().is_some());
    }

    /// Of eight places of `evil` that are given back one after the other, how many it gets again at once.
    async fn again(places: &Places, mut taken: Vec<Place>) -> usize {
        let names: Vec<_> = (0..taken.len()).map(|number| format!("again{number}")).collect();
        let mut waiting: Vec<_> = names.iter().map(|name| Box::pin(places.take("evil", name))).collect();
        for waits in &mut waiting {
            assert!(waits.as_mut().now_or_never().is_none());
        }
        taken.clear();
        let got: Vec<_> = waiting.iter_mut().map(|waits| waits.as_mut().now_or_never()).collect();
        got.iter().flatten().count()
    }

    async fn eight(places: &Places) -> Vec<Place> {
        let mut taken = Vec::new();
        for number in 0..8 {
            taken.push(places.take("evil", &number.to_string()).await);
        }
        taken
    }

    /// P1 of the ninth attack: many edits of one tenant's instances held up every reconciliation of the neighbours.
    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_has_used_much_has_few_places_while_others_work() {
        let places = Places::new(16);
        let taken = eight(&places).await;
        tokio::time::advance(Duration::from_secs(4)).await;
        drop(places.take("ns", "lite").await);
        assert_eq!(again(&places, taken).await, 2);
        // Others work no more: nothing is left unused.
        tokio::time::advance(ACTIVE).await;
        let taken = eight(&places).await;
        assert_eq!(again(&places, taken).await, 8);
        // It has rested.
        tokio::time::advance(MOST).await;
        let taken = eight(&places).await;
        drop(places.take("ns", "lite").await);
        assert_eq!(again(&places, taken).await, 8);
    }

    /// As when the operator starts among many large namespaces.
    #[tokio::test(start_paused = true)]
    async fn namespaces_that_have_all_used_much_share_all_places() {
        let places = Places::new(16);
        let mut others = Vec::new();
        for number in 0..8 {
            others.push(places.take("other", &number.to_string()).await);
        }
        let taken = eight(&places).await;
        tokio::time::advance(BUSY).await;
        assert_eq!(again(&places, taken).await, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn one_place_all_the_time_is_not_much() {
        let places = Places::new(16);
        let place = places.take("evil", "x").await;
        tokio::time::advance(MOST * 10).await;
        drop(place);
        drop(places.take("ns", "lite").await);
        let taken = eight(&places).await;
        assert_eq!(again(&places, taken).await, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_that_wait_whoever_has_used_less_comes_first() {
        let places = Places::new(4);
        let evil = [places.take("evil", "a").await, places.take("evil", "b").await];
        let rest = [places.take("a", "x").await, places.take("b", "x").await];
        tokio::time::advance(Duration::from_secs(1)).await;
        let [first, second] = evil;
        drop(first);
        let last = places.take("c", "x").await;
        let mut again = Box::pin(places.take("evil", "c"));
        assert!(again.as_mut().now_or_never().is_none());
        let mut other = Box::pin(places.take("ns", "lite"));
        assert!(other.as_mut().now_or_never().is_none());
        drop(last);
        assert!(again.as_mut().now_or_never().is_none(), "it came first and has used more");
        assert!(other.as_mut().now_or_never().is_some());
        drop((rest, second));
        assert!(again.as_mut().now_or_never().is_some());
    }
}
