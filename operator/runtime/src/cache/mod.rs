//! What the watches of one kind have shown, indexed by instance, so that looking again costs the API server nothing.
//!
//! A cache lags. A decision that is made from an old state is made again when the change arrives; writes carry preconditions, so a
//! decision made from an old state cannot overwrite a newer one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use futures::{Stream, StreamExt, stream};
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::object::{Object, strip};
use crate::tolerant::Tolerant;

mod key;
mod limits;
mod shelf;
#[cfg(test)]
mod tests;
mod turns;

pub use key::Key;
use key::{instance, key};
pub use limits::{INSTANCE_BYTES, Known, Limits};
use shelf::{Entry, Shelf};
pub use turns::ListTurns;

/// Objects per page of a list. Pages are small because anybody who may write to a namespace decides how large an object is (1.5 MB), also where
/// only metadata is asked for.
pub const PAGE: u32 = 5;

/// The objects of one kind.
pub struct Cache<K> {
    limits: Limits,
    state: RwLock<State<K>>,
}

struct State<K> {
    shelf: Shelf<K>,
    instances: HashMap<Key, BTreeSet<String>>,
    /// What a list that is under way has shown so far, by the namespace that it lists.
    listed: HashMap<Option<String>, Shelf<K>>,
}

impl<K: Object> Default for Cache<K> {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl<K: Object> Cache<K> {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state = State { shelf: Shelf::default(), instances: HashMap::new(), listed: HashMap::new() };
        Self { limits, state: RwLock::new(state) }
    }

    /// The object under a name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.shelf.get(&(namespace.to_owned(), name.to_owned())).map(|entry| entry.object.clone())
    }

    /// The objects of an instance, by name.
    #[must_use]
    pub fn of_instance(&self, namespace: &str, instance: &str) -> Vec<Arc<K>> {
        self.entries(namespace, instance, |entry| Some(entry.object.clone()))
    }

    /// The names of an instance's objects of which only metadata is kept because their owner was not known yet, and is known by now.
    #[must_use]
    pub fn withheld(&self, namespace: &str, instance: &str) -> Vec<String> {
        self.entries(namespace, instance, |entry| {
            let is_known = || shelf::has_known_owner(&*entry.object, &self.limits);
            (entry.owner_was_unknown && is_known()).then(|| entry.object.name_any())
        })
    }

    fn entries<T>(&self, namespace: &str, instance: &str, what: impl Fn(&Entry<K>) -> Option<T>) -> Vec<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let names = state.instances.get(&(namespace.to_owned(), instance.to_owned()));
        let find = |name: &String| state.shelf.get(&(namespace.to_owned(), name.clone())).and_then(&what);
        names.into_iter().flatten().filter_map(find).collect()
    }

    /// All objects.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.shelf.entries().map(|entry| entry.object.clone()).collect()
    }

    /// Takes an event of the watch of `namespace` in; gives the instances whose objects changed.
    pub fn apply(&self, namespace: Option<&str>, event: Event<K>) -> Vec<Key> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let source = namespace.map(ToOwned::to_owned);
        match event {
            Event::Apply(object) => {
                let entry = state.shelf.trim(object, &self.limits);
                state.put(entry).into_iter().collect()
            }
            Event::Delete(object) => state.remove(&key(&object)).into_iter().collect(),
            Event::Init => {
                state.listed.insert(source, Shelf::default());
                Vec::new()
            }
            Event::InitApply(object) => {
                let listed = state.listed.entry(source).or_default();
                let entry = listed.trim(object, &self.limits);
                listed.put(entry);
                Vec::new()
            }
            Event::InitDone => {
                let listed = state.listed.remove(&source).unwrap_or_default();
                let ours = |key: &&Key| namespace.is_none_or(|namespace| key.0 == namespace);
                let gone: Vec<_> = state.shelf.keys().filter(ours).filter(|key| !listed.has(key)).cloned().collect();
                let mut changed: HashSet<Key> = gone.iter().filter_map(|key| state.remove(key)).collect();
                changed.extend(listed.into_entries().filter_map(|entry| state.put(entry)));
                changed.into_iter().collect()
            }
        }
    }
}

impl<K: Object> State<K> {
    /// Keeps an object; gives its instance if it is not what was kept before.
    fn put(&mut self, entry: Entry<K>) -> Option<Key> {
        let key = key(&*entry.object);
        let is_same = |old: &Entry<K>| old.object == entry.object && old.owner_was_unknown == entry.owner_was_unknown;
        if self.shelf.get(&key).is_some_and(is_same) {
            return None;
        }
        let before = self.remove(&key);
        let instance = instance(&*entry.object);
        if let Some(instance) = &instance {
            self.instances.entry(instance.clone()).or_default().insert(key.1.clone());
        }
        self.shelf.put(entry);
        instance.or(before)
    }

    fn remove(&mut self, key: &Key) -> Option<Key> {
        let instance = instance(&*self.shelf.remove(key)?.object)?;
        if let Some(names) = self.instances.get_mut(&instance) {
            names.remove(&key.1);
            if names.is_empty() {
                self.instances.remove(&instance);
            }
        }
        Some(instance)
    }
}

/// Fills a cache from a watch as long as the stream is polled; gives the instances whose objects changed. `keep` makes of an object
/// what is kept, and is the place to drop what nobody looks at.
pub fn follow<W, K>(
    cache: Arc<Cache<K>>,
    namespace: Option<String>,
    api: Api<Tolerant<W>>,
    config: watcher::Config,
    metrics: Arc<Metrics>,
    (lists, filled): (&ListTurns, watch::Sender<usize>),
    keep: impl Fn(W) -> K + Send + 'static,
) -> impl Stream<Item = Key> + Send + 'static
where
    W: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
    K: Object,
{
    filled.send_modify(|missing| *missing += 1);
    let mut first = true;
    lists.limit(watcher(api, config.page_size(PAGE))).default_backoff().flat_map(move |event| {
        let changed = match event {
            Ok(event) => {
                let done = matches!(event, Event::InitDone);
                let changed =
                    readable(event, &metrics).map(|event| cache.apply(namespace.as_deref(), map(event, &keep)));
                if done && std::mem::take(&mut first) {
                    filled.send_modify(|missing| *missing -= 1);
                }
                changed.unwrap_or_default()
            }
            Err(error) => {
                let (kind, place) = (W::kind(&()), namespace.as_deref().unwrap_or("all namespaces"));
                metrics.watch_failed(&kind);
                tracing::warn!(%kind, "watch of {kind} in {place}: {error}");
                if is_denied(&error) && std::mem::take(&mut first) {
                    filled.send_modify(|missing| *missing -= 1);
                }
                Vec::new()
            }
        };
        stream::iter(changed)
    })
}

/// Whether the API server refuses a list: the namespace is gone, or the right to list there. The start of the process does not wait for it; the watch
/// tries again, and what it shows later counts then.
#[must_use]
pub fn is_denied(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if matches!(status.code, 403 | 404))
}

fn map<W: Resource, K>(event: Event<W>, keep: &impl Fn(W) -> K) -> Event<K> {
    let keep = |object: W| stripped(object, keep);
    match event {
        Event::Apply(object) => Event::Apply(keep(object)),
        Event::Delete(object) => Event::Delete(keep(object)),
        Event::InitApply(object) => Event::InitApply(keep(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

/// What is kept of an object, before its size is looked at.
pub(crate) fn stripped<W: Resource, K>(mut object: W, keep: impl Fn(W) -> K) -> K {
    strip(object.meta_mut());
    keep(object)
}

/// An object that cannot be read is counted and left out; the others are not held up.
pub fn readable<K>(event: Event<Tolerant<K>>, metrics: &Metrics) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()>,
{
    let check = |Tolerant(object): Tolerant<K>| match object {
        Ok(object) => Some(object),
        Err(invalid) => {
            let kind = K::kind(&());
            let (namespace, name) = (invalid.metadata.namespace.unwrap_or_default(), invalid.metadata.name);
            let name = name.unwrap_or_default();
            tracing::warn!(%kind, namespace, name, "{kind} {namespace}/{name} cannot be read: {}", invalid.error);
            metrics.unreadable(&kind);
            None
        }
    };
    Some(match event {
        Event::Apply(object) => Event::Apply(check(object)?),
        Event::Delete(object) => Event::Delete(check(object)?),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(check(object)?),
        Event::InitDone => Event::InitDone,
    })
}

/// Waits until every cache that was begun is filled.
pub async fn all_filled(filled: &watch::Sender<usize>) {
    // The sender lives as long as the caller's borrow, so waiting cannot fail.
    filled.subscribe().wait_for(|missing| *missing == 0).await.ok();
}
