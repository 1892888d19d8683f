//! How many reconciliations run at the same time. No namespace takes more than half of the places.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use operator_runtime::cache::Key;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The places for reconciliations.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    per_namespace: usize,
    namespaces: Mutex<HashMap<String, Weak<Semaphore>>>,
    busy: Busy,
}

/// The instances that have a place, wait for one, or are held. Of one instance one reconciliation runs at a time.
type Busy = Arc<(Mutex<HashSet<Key>>, Notify)>;

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    _all: OwnedSemaphorePermit,
    _namespace: OwnedSemaphorePermit,
    _busy: Hold,
}

/// An instance that nobody else reconciles until this is dropped.
#[derive(Debug)]
pub struct Hold(Busy, Key);

impl Drop for Hold {
    fn drop(&mut self) {
        let (busy, freed) = &*self.0;
        busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        freed.notify_waiters();
    }
}

impl Places {
    /// `all` places, of which one namespace takes at most half.
    #[must_use]
    pub fn new(all: usize) -> Self {
        let per_namespace = all.div_ceil(2).max(1);
        Self { all: Arc::new(Semaphore::new(all)), per_namespace, namespaces: Mutex::default(), busy: Busy::default() }
    }

    /// Waits for a place, in the order in which places were asked for. `None` never comes: the semaphores are not closed.
    pub async fn take(&self, namespace: &str, name: &str) -> Option<Place> {
        let busy = loop {
            let freed = self.busy.1.notified();
            if let Some(hold) = self.hold(namespace, name) {
                break hold;
            }
            freed.await;
        };
        let own = {
            let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
            let known = namespaces.get(namespace).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                namespaces.retain(|_, places| places.strong_count() > 0);
                let places = Arc::new(Semaphore::new(self.per_namespace));
                namespaces.insert(namespace.to_owned(), Arc::downgrade(&places));
                places
            })
        };
        // The namespace's first: whoever waits for that takes no place from others.
        let namespace = own.acquire_owned().await.ok()?;
        let all = self.all.clone().acquire_owned().await.ok()?;
        Some(Place { _all: all, _namespace: namespace, _busy: busy })
    }

    /// Keeps an instance from being reconciled; nothing if a reconciliation runs or waits for its place.
    #[must_use]
    pub fn hold(&self, namespace: &str, name: &str) -> Option<Hold> {
        let key = (namespace.to_owned(), name.to_owned());
        let is_free = self.busy.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_free.then(|| Hold(self.busy.clone(), key))
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
}
