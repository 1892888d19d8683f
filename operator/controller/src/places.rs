//! How many reconciliations run at the same time. No namespace takes more than half of the places.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use operator_runtime::cache::Key;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for reconciliations.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    per_namespace: usize,
    namespaces: Mutex<HashMap<String, Weak<Semaphore>>>,
    busy: Busy,
}

/// The instances that have a place or wait for one. Of one instance one reconciliation runs at a time.
type Busy = Arc<Mutex<HashSet<Key>>>;

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    _all: OwnedSemaphorePermit,
    _namespace: OwnedSemaphorePermit,
    _busy: Entry,
}

#[derive(Debug)]
struct Entry(Busy, Key);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
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
        let key = (namespace.to_owned(), name.to_owned());
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        let busy = Entry(self.busy.clone(), key);
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

    /// Whether a reconciliation of an instance runs or waits for its place.
    pub fn is_busy(&self, namespace: &str, name: &str) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(&(namespace.to_owned(), name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_namespace_takes_half_of_the_places_and_leaves_the_rest() {
        let places = Places::new(4);
        let busy = [places.take("busy", "x").await, places.take("busy", "x").await];
        assert!(places.take("busy", "x").now_or_never().is_none());
        let others = [places.take("a", "x").now_or_never().unwrap(), places.take("b", "x").now_or_never().unwrap()];
        assert!(places.take("c", "x").now_or_never().is_none(), "all places are taken");
        drop(busy);
        assert!(places.take("busy", "x").now_or_never().is_some());
        drop(others);
        assert!(Places::new(1).take("a", "x").now_or_never().is_some());
    }
    #[tokio::test]
    async fn an_instance_is_busy_while_it_has_a_place_or_waits_for_one() {
        let places = Places::new(1);
        let place = places.take("a", "one").await;
        let mut waits = Box::pin(places.take("a", "two"));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(places.is_busy("a", "one") && places.is_busy("a", "two") && !places.is_busy("b", "one"));
        drop(waits);
        drop(place);
        assert!(!places.is_busy("a", "one") && !places.is_busy("a", "two"));
    }
}
