//! Why Kubernetes could not create pods: for StatefulSets and Jobs only Events tell.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Event;
use kube::Client;
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, watcher::Event as Watched};
use operator_runtime::cache::{Key, PAGE};
use operator_runtime::child::{Children, api};
use operator_runtime::condition::one_line;

/// How long a refusal counts after its last Event.
const FRESH: Duration = Duration::from_secs(600);
/// Most refusals that are kept. Anybody who may write Events can invent some.
const MOST: usize = 10_000;

/// Refusals by the uid of the object that wanted pods.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<String, (Instant, String)>>);

impl Refusals {
    /// The refusals about objects of an instance, by uid.
    #[must_use]
    pub fn of(&self, children: &Children) -> BTreeMap<String, String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = children.all::<StatefulSet>().filter_map(|set| set.metadata.uid.as_ref());
        let jobs = children.all::<Job>().filter_map(|job| job.metadata.uid.as_ref());
        let find = |uid: &String| {
            let (since, message) = known.get(uid)?;
            (since.elapsed() < FRESH).then(|| (uid.clone(), message.clone()))
        };
        sets.chain(jobs).filter_map(find).collect()
    }

    fn put(&self, uid: String, message: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (since, _)| since.elapsed() < FRESH);
        if known.len() < MOST {
            known.insert(uid, (Instant::now(), message));
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
        self.put(about.uid?, one_line(&event.message.unwrap_or_default()));
        Some((about.namespace?, about.name?))
    }
}
