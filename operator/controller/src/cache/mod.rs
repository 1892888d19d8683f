//! What the controller's watches have seen, so that looking again costs the API server nothing.
//!
//! A cache lags. What it holds may be acted upon, because the change that it has not seen yet brings the next
//! reconciliation; what it lacks is asked of the API server before anything is concluded from it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, future};
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::k8s::labels;
use crate::metrics::Metrics;

#[cfg(test)]
mod tests;

/// A kind that can be kept.
pub trait Cached: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static {}

impl<K> Cached for K where K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static {}

/// One store per kind. Without stores everything is asked of the API server.
#[derive(Default)]
pub struct Cache(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Cache {
    /// Keeps what a watch shows, as long as its stream is polled.
    pub fn keep<K: Cached>(
        &mut self,
        api: Api<DeserializeGuard<K>>,
        config: watcher::Config,
        metrics: Arc<Metrics>,
    ) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static {
        let (store, events) = watch(api, config, metrics);
        self.0.insert(TypeId::of::<K>(), Box::new(store));
        events.touched_objects()
    }

    /// What the cache holds under a name.
    #[must_use]
    pub fn get<K: Cached>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.store::<K>()?.get(&ObjectRef::new(name).within(namespace))
    }

    /// The objects of an instance; nothing if the cache is not filled yet.
    pub async fn of_instance<K: Cached>(&self, namespace: &str, instance: &str) -> Option<Vec<Arc<K>>> {
        let belongs = |object: &K| {
            object.meta().namespace.as_deref() == Some(namespace)
                && object.labels().get(labels::INSTANCE).is_some_and(|label| label == instance)
        };
        let store = self.filled::<K>().await?;
        Some(store.state_filter(belongs))
    }

    /// Everything of a kind; nothing if the cache is not filled yet.
    pub async fn all<K: Cached>(&self) -> Option<Vec<Arc<K>>> {
        Some(self.filled::<K>().await?.state())
    }

    async fn filled<K: Cached>(&self) -> Option<&Store<K>> {
        let store = self.store::<K>()?;
        store.wait_until_ready().await.is_ok().then_some(store)
    }

    fn store<K: Cached>(&self) -> Option<&Store<K>> {
        self.0.get(&TypeId::of::<K>())?.downcast_ref()
    }
}

/// Watches a kind into a store. An object that cannot be read is counted and left out; the others are not held up.
pub fn watch<K: Cached>(
    api: Api<DeserializeGuard<K>>,
    config: watcher::Config,
    metrics: Arc<Metrics>,
) -> (Store<K>, impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static) {
    let (store, writer) = reflector::store();
    let events = watcher(api, config).default_backoff().filter_map(move |event| {
        future::ready(match event {
            Ok(event) => readable(event, &metrics).map(Ok),
            Err(error) => Some(Err(error)),
        })
    });
    (store, events.modify(|object: &mut K| object.managed_fields_mut().clear()).reflect(writer))
}

fn readable<K: Cached>(event: Event<DeserializeGuard<K>>, metrics: &Metrics) -> Option<Event<K>> {
    let check = |DeserializeGuard(object): DeserializeGuard<K>| match object {
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
