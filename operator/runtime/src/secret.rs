//! What Secrets hold, fetched when it is needed and kept until a watch says that it changed.
//!
//! Secrets are written by tenants: only the keys that somebody asked for are kept, and only up to a size. The watch shows names alone,
//! so memory follows the Secrets that instances use, however many there are and however large.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};

use crate::cache::{Key, PAGE};
use crate::child::api;
use crate::labels;

/// Longest value that is kept, in bytes: a certificate with its chain fits.
pub const LONGEST: usize = 65_536;
/// Most labels that are kept.
const MOST_LABELS: usize = 64;
/// Releases of Helm are Secrets too: large, many, and read by no pod.
const NO_RELEASES: &str = "type!=helm.sh/release.v1";
/// Time after which an unused entry is dropped.
const UNUSED: Duration = Duration::from_secs(3600);

/// What a Secret holds, as far as it was asked for.
#[derive(Clone, Default, PartialEq)]
pub struct Content {
    /// Its metadata: name, namespace, uid, labels, owners and the annotations of this project.
    pub metadata: ObjectMeta,
    /// The values by key. A key that is missing has no value; one that is too long is in `too_long`.
    pub values: BTreeMap<String, Vec<u8>>,
    /// Keys whose values are longer than [`LONGEST`].
    pub too_long: Vec<String>,
}

impl Content {
    /// A value as text, without white space at its ends.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.values.get(key)?).ok().map(str::trim)
    }

    /// The same with these keys alone. Others may have asked for more of the same Secret, and what one reader compares may not depend
    /// on who else reads.
    fn only(self: &Arc<Self>, keys: &[&str]) -> Arc<Self> {
        let asked = |key: &String| keys.contains(&key.as_str());
        if self.values.keys().chain(&self.too_long).all(asked) {
            return self.clone();
        }
        let mut content = Self::clone(self);
        content.values.retain(|key, _| asked(key));
        content.too_long.retain(asked);
        content.into()
    }
}

impl fmt::Debug for Content {
    /// Prints the names of the keys. Never prints a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("name", &self.metadata.name)
            .field("keys", &self.values.keys())
            .field("too_long", &self.too_long)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Entry {
    keys: Vec<String>,
    content: Option<Arc<Content>>,
    used: Instant,
}

/// The Secrets that were asked for.
pub struct Secrets {
    client: Client,
    entries: Mutex<HashMap<Key, Entry>>,
    /// Changes with every change that a watch shows, so that an answer that was under way meanwhile is not kept.
    epoch: AtomicU64,
}

impl Secrets {
    /// An empty cache.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, entries: Mutex::default(), epoch: AtomicU64::new(0) }
    }

    /// What a Secret holds under some keys; nothing if there is no such Secret.
    ///
    /// # Errors
    /// What the API server answers.
    pub async fn get(&self, namespace: &str, name: &str, keys: &[&str]) -> kube::Result<Option<Arc<Content>>> {
        let key = (namespace.to_owned(), name.to_owned());
        let mut wanted: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = entries.get_mut(&key) {
                if wanted.iter().all(|key| entry.keys.contains(key)) {
                    entry.used = Instant::now();
                    return Ok(entry.content.as_ref().map(|content| content.only(keys)));
                }
                wanted
                    .extend(entry.keys.iter().filter(|key| !keys.contains(&key.as_str())).cloned().collect::<Vec<_>>());
            }
        }
        let only = |content: Option<Arc<Content>>| content.map(|content| content.only(keys));
        let epoch = self.epoch.load(Ordering::SeqCst);
        let secret = Api::<Secret>::namespaced(self.client.clone(), namespace).get_opt(name).await?;
        let content = secret.map(|secret| Arc::new(reduce(secret, &wanted)));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if self.epoch.load(Ordering::SeqCst) == epoch {
            entries.retain(|_, entry| entry.used.elapsed() < UNUSED);
            entries.insert(key, Entry { keys: wanted, content: content.clone(), used: Instant::now() });
        }
        Ok(only(content))
    }

    /// Forgets a Secret that was just written.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let key = (namespace.to_owned(), name.to_owned());
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn forget_all(&self, namespace: Option<&str>) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|key, _| namespace.is_some_and(|namespace| key.0 != namespace));
    }

    /// Watches the names of Secrets as long as the stream is polled; gives each one that changed. Of an object nothing else is kept.
    pub fn follow(self: Arc<Self>, namespace: Option<String>) -> impl Stream<Item = Key> + Send + 'static {
        let names = api::<PartialObjectMeta<Secret>>(&self.client, namespace.as_deref());
        let config = watcher::Config::default().fields(NO_RELEASES).page_size(PAGE);
        watcher(names, config).default_backoff().flat_map(move |event| {
            let changed = match event {
                Ok(Event::Apply(secret) | Event::Delete(secret) | Event::InitApply(secret)) => {
                    let key = (secret.namespace().unwrap_or_default(), secret.name_any());
                    self.forget(&key.0, &key.1);
                    Some(key)
                }
                // Changes while the watch was broken are not shown one by one.
                Ok(Event::Init) => {
                    self.forget_all(namespace.as_deref());
                    None
                }
                Ok(Event::InitDone) => None,
                Err(error) => {
                    tracing::warn!("watch of Secrets: {error}");
                    None
                }
            };
            stream::iter(changed)
        })
    }
}

fn reduce(mut secret: Secret, keys: &[String]) -> Content {
    let mut data = secret.data.take().unwrap_or_default();
    let metadata = &mut secret.metadata;
    metadata.managed_fields = None;
    metadata.resource_version = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, value| key.starts_with(labels::PREFIX) && value.len() <= LONGEST);
    }
    if let Some(labels) = &mut metadata.labels {
        while labels.len() > MOST_LABELS {
            labels.pop_last();
        }
    }
    let mut content = Content { metadata: secret.metadata, ..Content::default() };
    for key in keys {
        match data.remove(key) {
            Some(value) if value.0.len() <= LONGEST => {
                content.values.insert(key.clone(), value.0);
            }
            Some(_) => content.too_long.push(key.clone()),
            None => {}
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn only_what_was_asked_for_is_kept_and_only_up_to_a_size() {
        let value = |length: usize| ByteString(vec![b'x'; length]);
        let data =
            [("small", 10), ("other", 10), ("large", LONGEST + 1)].map(|(key, length)| (key.to_owned(), value(length)));
        let labels = (0..200).map(|number| (format!("label-{number:03}"), String::new())).collect();
        let metadata = ObjectMeta { labels: Some(labels), ..Default::default() };
        let secret = Secret { metadata, data: Some(data.into()), ..Default::default() };
        let content = reduce(secret, &["small".into(), "large".into(), "absent".into()]);
        assert_eq!(content.values.keys().collect::<Vec<_>>(), ["small"]);
        assert_eq!(content.too_long, ["large"]);
        assert_eq!(content.metadata.labels.unwrap().len(), MOST_LABELS);
    }

    #[test]
    fn debug_shows_no_value() {
        let values = [("password".to_owned(), b"hunter2".to_vec())].into();
        let text = format!("{:?}", Content { values, ..Default::default() });
        assert!(text.contains("password") && !text.contains("hunter2") && !text.contains("104"), "{text}");
    }

    /// Two instances may name different keys of one Secret.
    #[tokio::test]
    async fn what_one_reader_gets_does_not_depend_on_the_others() {
        let (service, mut handle) =
            tower_test::mock::pair::<http::Request<kube::client::Body>, http::Response<kube::client::Body>>();
        let secrets = Secrets::new(Client::new(service, "ns"));
        let server = tokio::spawn(async move {
            let mut asked = 0;
            while let Some((_, send)) = handle.next_request().await {
                let data = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
                    "data": {"a": "YQ==", "b": "Yg=="}});
                let body = kube::client::Body::from(serde_json::to_vec(&data).unwrap());
                send.send_response(http::Response::builder().body(body).unwrap());
                asked += 1;
            }
            asked
        });
        let keys = async |keys: &[&str]| {
            let content = secrets.get("ns", "db", keys).await.unwrap().unwrap();
            content.values.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys(&["a"]).await, ["a"]);
        assert_eq!(keys(&["b"]).await, ["b"]);
        assert_eq!(keys(&["a"]).await, ["a"]);
        assert_eq!(keys(&["a", "absent"]).await, ["a"]);
        drop(secrets);
        assert_eq!(server.await.unwrap(), 3, "what was asked before is not asked again");
    }
}
