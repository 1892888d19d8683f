//! How many reconciliations run at the same time. No namespace takes more than half of the places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for reconciliations.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    per_namespace: usize,
    namespaces: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    _all: OwnedSemaphorePermit,
    _namespace: OwnedSemaphorePermit,
}

impl Places {
    /// `all` places, of which one namespace takes at most half.
    #[must_use]
    pub fn new(all: usize) -> Self {
        let per_namespace = all.div_ceil(2).max(1);
        Self { all: Arc::new(Semaphore::new(all)), per_namespace, namespaces: Mutex::default() }
    }

    /// Waits for a place, in the order in which places were asked for. `None` never comes: the semaphores are not closed.
    pub async fn take(&self, namespace: &str) -> Option<Place> {
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
        Some(Place { _all: all, _namespace: namespace })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_namespace_takes_half_of_the_places_and_leaves_the_rest() {
        let places = Places::new(4);
        let busy = [places.take("busy").await, places.take("busy").await];
        assert!(places.take("busy").now_or_never().is_none());
        let others = [places.take("a").now_or_never().unwrap(), places.take("b").now_or_never().unwrap()];
        assert!(places.take("c").now_or_never().is_none(), "all places are taken");
        drop(busy);
        assert!(places.take("busy").now_or_never().is_some());
        drop(others);
        assert!(Places::new(1).take("a").now_or_never().is_some());
    }
}
