//! What the watches of one kind have shown, indexed by instance, so that looking again costs the API server nothing.
//!
//! Objects are kept as text ([`entry`]). A cache lags. A decision that is made from an old state is made again when the change arrives; writes carry preconditions, so a
//! decision made from an old state cannot overwrite a newer one.

use std::any::Any;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::object::{Object, strip};
use crate::ownership::orphaned_by;
use crate::tolerant::Tolerant;

mod entry;
mod key;
mod limits;
mod lists;
mod shelf;
#[cfg(test)]
mod tests;

use entry::Entry;
pub(crate) use entry::structs;
pub use key::Key;
use key::{instance, key};
pub use limits::{INSTANCE_BYTES, Known, Limits};
pub use lists::{Lists, can_stream};
use shelf::Shelf;

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

    /// The object under a name. Parses it.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.entry(namespace, name, Entry::unpack)
    }

    /// What `digest` makes of the object under a name. It is asked once for as long as the object stays as it is, so that looking again costs
    /// nothing.
    pub fn digest<D: Any + Send + Sync>(
        &self,
        namespace: &str,
        name: &str,
        digest: impl Fn(&K) -> D,
    ) -> Option<Arc<D>> {
        self.entry(namespace, name, |entry| entry.digest(digest))
    }

    /// What `digest` makes of each object, as in [`Cache::digest`].
    pub fn digests<D: Any + Send + Sync>(&self, digest: impl Fn(&K) -> D) -> Vec<Arc<D>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.shelf.entries().map(|entry| entry.digest(&digest)).collect()
    }

    /// The objects of an instance, by name. Parses them, up to [`Limits::at_once`] of them; of the others there is metadata.
    #[must_use]
    pub fn of_instance(&self, namespace: &str, instance: &str) -> Vec<Arc<K>> {
        let mut left = self.limits.at_once;
        self.entries(namespace, instance, |entry| match left.checked_sub(entry.weight()) {
            Some(rest) => {
                left = rest;
                Some(entry.unpack())
            }
            None => Some(Arc::new(entry.bare())),
        })
    }

    /// The names of an instance's objects of which only metadata is kept because their owner was not known yet, and is known by now.
    #[must_use]
    pub fn withheld(&self, namespace: &str, instance: &str) -> Vec<String> {
        self.entries(namespace, instance, |entry| {
            let is_known = || shelf::has_known_owner(&entry.metadata, &self.limits);
            (entry.owner_was_unknown() && is_known()).then(|| entry.metadata.name.clone()).flatten()
        })
    }

    /// The metadata of objects that went with an instance and have no owner any more.
    #[must_use]
    pub fn orphans(&self) -> Vec<Arc<ObjectMeta>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let is_orphan =
            |metadata: &&Arc<ObjectMeta>| orphaned_by(metadata).is_some() && metadata.deletion_timestamp.is_none();
        state.shelf.entries().map(|entry| &entry.metadata).filter(is_orphan).cloned().collect()
    }

    fn entry<T>(&self, namespace: &str, name: &str, what: impl FnOnce(&Entry<K>) -> T) -> Option<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.shelf.get(&(namespace.to_owned(), name.to_owned())).map(what)
    }

    fn entries<T>(&self, namespace: &str, instance: &str, mut what: impl FnMut(&Entry<K>) -> Option<T>) -> Vec<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let names = state.instances.get(&(namespace.to_owned(), instance.to_owned()));
        let find = |name: &String| state.shelf.get(&(namespace.to_owned(), name.clone())).and_then(&mut what);
        names.into_iter().flatten().filter_map(find).collect()
    }

    /// Takes an event of the watch of `namespace` in; gives the instances whose objects changed.
    pub fn apply(&self, namespace: Option<&str>, event: Event<K>) -> Vec<Key> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let source = namespace.map(ToOwned::to_owned);
        match event {
            Event::Apply(object) => {
                let entry = state.shelf.trim(&object, &self.limits);
                state.put(entry).into_iter().collect()
            }
            Event::Delete(object) => state.remove(&key(object.meta())).into_iter().collect(),
            Event::Init => {
                state.listed.insert(source, Shelf::default());
                Vec::new()
            }
            Event::InitApply(object) => {
                let listed = state.listed.entry(source).or_default();
                let entry = listed.trim(&object, &self.limits);
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
        let key = key(&entry.metadata);
        if self.shelf.get(&key).is_some_and(|old| old.is_same(&entry)) {
            return None;
        }
        let before = self.remove(&key);
        let instance = instance(&entry.metadata);
        if let Some(instance) = &instance {
            self.instances.entry(instance.clone()).or_default().insert(key.1.clone());
        }
        self.shelf.put(entry);
        instance.or(before)
    }

    fn remove(&mut self, key: &Key) -> Option<Key> {
        let instance = instance(&self.shelf.remove(key)?.metadata)?;
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
    (lists, filled): (&Lists, watch::Sender<usize>),
    keep: impl Fn(W) -> K + Send + 'static,
) -> impl Stream<Item = Key> + Send + 'static
where
    W: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug + Send + 'static,
    K: Object,
{
    filled.send_modify(|missing| *missing += 1);
    let mut first = true;
    lists.limit(watcher(api, lists.config(config))).default_backoff().flat_map(move |event| {
        let changed = match event {
            Ok(event) => {
                let done = matches!(event, Event::InitDone);
                let changed = readable(event, &metrics, &keep).map(|event| cache.apply(namespace.as_deref(), event));
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

/// What is kept of an object, before its size is looked at.
pub(crate) fn stripped<W: Resource, K>(mut object: W, keep: impl Fn(W) -> K) -> K {
    strip(object.meta_mut());
    keep(object)
}

/// The same event with what is kept of the objects. An object that cannot be read is counted and left out, and what was known of it before is
/// forgotten; the others are not held up.
fn readable<W, K>(event: Event<Tolerant<W>>, metrics: &Metrics, keep: &impl Fn(W) -> K) -> Option<Event<K>>
where
    W: Resource<DynamicType = ()>,
    K: Object,
{
    let check = |Tolerant(object): Tolerant<W>| {
        object.map(|object| stripped(object, keep)).map_err(|invalid| {
            let kind = W::kind(&());
            let mut gone = K::default();
            *gone.meta_mut() = invalid.metadata;
            let (namespace, name) = (gone.namespace().unwrap_or_default(), gone.name_any());
            tracing::warn!(%kind, namespace, name, "{kind} {namespace}/{name} cannot be read: {}", invalid.error);
            metrics.unreadable(&kind);
            gone
        })
    };
    Some(match event {
        Event::Apply(object) => check(object).map_or_else(Event::Delete, Event::Apply),
        Event::Delete(object) => Event::Delete(check(object).unwrap_or_else(|gone| gone)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(check(object).ok()?),
        Event::InitDone => Event::InitDone,
    })
}

/// Waits until every cache that was begun is filled.
pub async fn all_filled(filled: &watch::Sender<usize>) {
    // The sender lives as long as the caller's borrow, so waiting cannot fail.
    filled.subscribe().wait_for(|missing| *missing == 0).await.ok();
}
