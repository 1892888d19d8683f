//! Reasons why Kubernetes could not create pods of StatefulSets and Jobs. Only Events contain them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use operator_runtime::cache::Key;
use operator_runtime::child::{Children, api};
use operator_runtime::condition::one_line;
use operator_runtime::tolerant::Tolerant;

/// How long a refusal counts after its last Event.
const FRESH: Duration = Duration::from_secs(600);
/// A watch from this version shows what exists first.
const ANY: &str = "0";
/// Between two tries to watch.
const PAUSE: Duration = Duration::from_secs(2);
/// Most refusals that are kept of one namespace. Anybody who may write Events there can invent some.
const MOST: usize = 100;

/// Longest name or uid of an object of Kubernetes.
const LONGEST_NAME: usize = 253;

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
        let api = api::<Tolerant<Event>>(client, namespace);
        stream::unfold(Watch::default(), move |mut watch| {
            let (api, known) = (api.clone(), self.clone());
            async move {
                loop {
                    let event = watch.next(&api).await;
                    if let Some(about) = known.note(event) {
                        return Some((about, watch));
                    }
                }
            }
        })
    }

    fn note(&self, event: Event) -> Option<Key> {
        let about = event.involved_object;
        if !matches!(about.kind.as_deref(), Some("StatefulSet" | "Job")) {
            return None;
        }
        let namespace = event.metadata.namespace?;
        let is_real = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() <= LONGEST_NAME);
        if !is_real(&about.uid) || !is_real(&about.name) {
            return None;
        }
        self.put(&namespace, about.uid?, one_line(&event.message.unwrap_or_default()));
        Some((namespace, about.name?))
    }
}

/// A watch of Events that never lists: the API server keeps no cache of Events, so a watch of them often ends for good, and the list that
/// usually follows would be work at rest. A watch from version 0 begins with the Events that exist.
struct Watch {
    version: String,
    events: Option<BoxStream<'static, kube::Result<WatchEvent<Tolerant<Event>>>>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { version: ANY.into(), events: None }
    }
}

impl Watch {
    async fn next(&mut self, api: &Api<Tolerant<Event>>) -> Event {
        loop {
            let Some(events) = &mut self.events else {
                let parameters = WatchParams::default().fields("reason=FailedCreate");
                match api.watch(&parameters, &self.version).await {
                    Ok(events) => self.events = Some(events.boxed()),
                    Err(error) => self.begin_anew(&error).await,
                }
                continue;
            };
            match events.next().await {
                Some(Ok(WatchEvent::Added(event) | WatchEvent::Modified(event))) => {
                    self.version = event.resource_version().unwrap_or_else(|| ANY.into());
                    // One that cannot be read says nothing.
                    if let Ok(event) = event.0 {
                        return event;
                    }
                }
                Some(Ok(WatchEvent::Deleted(event))) => {
                    self.version = event.resource_version().unwrap_or_else(|| ANY.into());
                }
                Some(Ok(WatchEvent::Bookmark(bookmark))) => self.version = bookmark.metadata.resource_version,
                Some(Ok(WatchEvent::Error(status))) => self.begin_anew(&kube::Error::Api(status)).await,
                Some(Err(error)) => self.begin_anew(&error).await,
                // The API server ends every watch after some minutes. What happens in the pause comes with the next one.
                None => {
                    self.events = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn begin_anew(&mut self, error: &kube::Error) {
        tracing::debug!("watch of Events: {error}");
        *self = Self::default();
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use kube::client::Body;
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

    /// Neither at the start, nor after a watch that has expired.
    #[tokio::test]
    async fn events_are_watched_and_never_listed() {
        let (service, mut api) = tower_test::mock::pair::<http::Request<Body>, http::Response<Body>>();
        let events = json!({"type": "ADDED", "object": {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "ns", "resourceVersion": "7"},
            "involvedObject": {"kind": "Job", "namespace": "ns", "name": "j", "uid": "1"}, "message": "quota",
        }});
        let expired = json!({"type": "ERROR", "object": {
            "kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old",
        }});
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            for line in [&events, &expired, &events] {
                let (request, send) = api.next_request().await.unwrap();
                asked.push(request.uri().query().unwrap_or_default().to_owned());
                let body = Body::from(format!("{line}\n").into_bytes());
                send.send_response(http::Response::builder().body(body).unwrap());
            }
            asked
        });
        let client = Client::new(service, "ns");
        let about: Vec<Key> = Arc::new(Refusals::default()).follow(&client, None).take(2).collect().await;
        assert_eq!(about, vec![("ns".into(), "j".into()); 2]);
        let asked = server.await.unwrap();
        assert!(asked.iter().all(|query| query.contains("watch=true")), "{asked:?}");
        let version =
            |query: &String| query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion=").map(String::from));
        assert_eq!(asked.iter().filter_map(version).collect::<Vec<_>>(), ["0", "7", "0"]);
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
