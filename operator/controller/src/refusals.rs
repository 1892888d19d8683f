//! Reasons why Kubernetes could not create pods of StatefulSets and Jobs. Only Events contain them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, watcher::Event as Watched};
use operator_runtime::cache::{Key, PAGE};
use operator_runtime::child::{Children, api};
use operator_runtime::condition::one_line;

/// How long a refusal counts after its last Event.
const FRESH: Duration = Duration::from_secs(600);
/// Most refusals that are kept of one namespace. Anybody who may write Events there can invent some.
const MOST: usize = 100;

/// Refusals by namespace, and there by the uid of the object that wanted pods: an Event tells only about its own namespace.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<String, OfNamespace>>);

/// When a refusal was last told, and its words.
type OfNamespace = HashMap<String, (Instant, String)>;

impl Refusals {
    /// The refusals about objects of an instance, by uid.
    #[must_use]
    pub fn of(&self, children: &Children) -> BTreeMap<String, String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = children.all::<StatefulSet>().map(|set| &set.metadata);
        let jobs = children.all::<Job>().map(|job| &job.metadata);
        let find = |metadata: &ObjectMeta| {
            let uid = metadata.uid.as_ref()?;
            let (since, message) = known.get(metadata.namespace.as_ref()?)?.get(uid)?;
            (since.elapsed() < FRESH).then(|| (uid.clone(), message.clone()))
        };
        sets.chain(jobs).filter_map(find).collect()
    }

    fn put(&self, namespace: &str, uid: String, message: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, refusals| {
            refusals.retain(|_, (since, _)| since.elapsed() < FRESH);
            !refusals.is_empty()
        });
        let refusals = known.entry(namespace.to_owned()).or_default();
        if refusals.len() < MOST || refusals.contains_key(&uid) {
            refusals.insert(uid, (Instant::now(), message));
        }
    }

    /// Watches Events as long as the stream is polled; gives the objects that Kubernetes could not create pods for.
    pub fn follow(
        self: Arc<Self>,
        client: &Client,
        namespace: Option<&str>,
    ) -> impl Stream<Item = Key> + Send + 'static {
        let config = watcher::Config::default().fields("reason=FailedCreate").page_size(PAGE);
        watcher(api::<Event>(client, namespace), config).default_backoff().flat_map(move |event| {
            let about = match event {
                Ok(Watched::Apply(event) | Watched::InitApply(event)) => self.note(event),
                Ok(_) => None,
                Err(error) => {
                    tracing::debug!("watch of Events: {error}");
                    None
                }
            };
            stream::iter(about)
        })
    }

    fn note(&self, event: Event) -> Option<Key> {
        let about = event.involved_object;
        if !matches!(about.kind.as_deref(), Some("StatefulSet" | "Job")) {
            return None;
        }
        let namespace = event.metadata.namespace?;
        self.put(&namespace, about.uid?, one_line(&event.message.unwrap_or_default()));
        Some((namespace, about.name?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(namespace: &str, uid: &str, message: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": "e", "namespace": namespace}, "message": message,
            "involvedObject": {"kind": "StatefulSet", "namespace": namespace, "name": "demo-pg", "uid": uid},
        }))
        .unwrap()
    }

    fn children() -> Children {
        let metadata = ObjectMeta {
            name: Some("demo-pg".into()),
            namespace: Some("ns".into()),
            uid: Some("1".into()),
            ..Default::default()
        };
        let set: Arc<dyn operator_runtime::object::AnyObject> =
            Arc::new(StatefulSet { metadata, ..Default::default() });
        [set].into_iter().collect()
    }

    #[test]
    fn a_refusal_is_known_by_namespace_and_uid() {
        let refusals = Refusals::default();
        refusals.note(event("other", "1", "forged")).unwrap();
        assert!(refusals.of(&children()).is_empty());
        assert_eq!(refusals.note(event("ns", "1", "a\nb")), Some(("ns".into(), "demo-pg".into())));
        assert_eq!(refusals.of(&children()), [("1".to_owned(), "a b".to_owned())].into());
    }

    #[test]
    fn one_namespace_cannot_fill_the_memory_of_the_others() {
        let refusals = Refusals::default();
        for number in 0..20_000 {
            refusals.note(event("other", &number.to_string(), "x"));
        }
        assert_eq!(refusals.0.lock().unwrap()["other"].len(), MOST);
        refusals.note(event("ns", "1", "quota"));
        assert_eq!(refusals.of(&children()).len(), 1);
        refusals.note(event("ns", "1", "another"));
        assert_eq!(refusals.of(&children())["1"], "another");
    }
}
