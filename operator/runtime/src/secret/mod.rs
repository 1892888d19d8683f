//! What Secrets hold, fetched when it is needed and kept until a watch says that it changed.
//!
//! Secrets are written by tenants: only the keys that somebody asked for are kept, and only up to a size. The watch shows names alone,
//! so memory follows the Secrets that instances use, however many there are and however large. Which keys are asked for is written by tenants, too:
//! `known` bounds what is kept.

mod content;
mod known;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};

use crate::cache::{Key, Lists};
use crate::child::api;
use crate::labels;
use crate::object::strip_owners;
use crate::tolerant::Tolerant;
use crate::turns::Turns;
pub use content::Content;
use known::{Keys, Known};

/// Longest value that is kept, in bytes: a certificate with its chain fits.
pub const LONGEST: usize = 65_536;
/// Longest annotation that is kept, in bytes: a bucket's name, a fingerprint.
const LONGEST_ANNOTATION: usize = 1024;
/// Maximum number of labels that are kept beside those that this crate sets.
const MOST_LABELS: usize = 64;

/// Secrets that are read at once: each has up to 1.5 MB of JSON. Namespaces take turns.
const READS: usize = 4;

/// A Secret with up to 1 MiB of data, which is what the API server takes.
type Whole = Tolerant<Secret, { 2 << 20 }>;

/// The Secrets that were asked for.
pub struct Secrets {
    client: Client,
    /// The annotations that somebody reads. Others are not kept: whoever may write a Secret decides how many it has.
    annotations: &'static [&'static str],
    known: Mutex<Known>,
    reads: Turns,
}

impl Secrets {
    /// An empty cache. Of the annotations of Secrets only `annotations` are kept.
    #[must_use]
    pub fn new(client: Client, annotations: &'static [&'static str]) -> Self {
        Self { client, annotations, known: Mutex::default(), reads: Turns::new(READS) }
    }

    /// What a Secret holds under some keys; nothing if there is no such Secret. A tenant may have written the name, and it becomes a part of a URL:
    /// what cannot be the name of an object is not asked for.
    ///
    /// # Errors
    /// What the API server answers.
    pub async fn get(&self, namespace: &str, name: &str, keys: &[&str]) -> kube::Result<Option<Arc<Content>>> {
        if !is_name(name) {
            return Ok(None);
        }
        let key = (namespace.to_owned(), name.to_owned());
        let own = |found: Option<Arc<Content>>| found.map(|content| content.only(keys));
        let found = self.known().find(&key, keys, Instant::now());
        if let Some(found) = found {
            return Ok(own(found));
        }
        let _turn = self.reads.take(namespace).await;
        // Somebody may have asked for the same before. Whoever waits for a turn holds nothing but its own keys.
        let found = self.known().find(&key, keys, Instant::now());
        if let Some(found) = found {
            return Ok(own(found));
        }
        let wanted = self.known().ask(&key, keys, Instant::now());
        let question = Question { secrets: self, key: Some(key) };
        let secret = Api::<Whole>::namespaced(self.client.clone(), namespace).get_opt(name).await?;
        let content = secret.map(|Tolerant(secret)| match secret {
            Ok(secret) => Ok(Arc::new(reduce(secret, wanted.keys().map(|key| &**key), self.annotations))),
            Err(invalid) => {
                let text = format!("Secret {namespace}/{name} cannot be read: {}", invalid.error);
                Err(kube::Error::Service(text.into()))
            }
        });
        let content = content.transpose()?;
        question.keep(wanted, content.clone());
        Ok(own(content))
    }

    /// Forgets a Secret that was just written.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.known().forget(&(namespace.to_owned(), name.to_owned()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the names of Secrets as long as the stream is polled; gives each one that changed. Of an object nothing else is kept.
    pub fn follow(
        self: Arc<Self>,
        namespace: Option<String>,
        lists: &Lists,
    ) -> impl Stream<Item = Key> + Send + 'static {
        let names = api::<Tolerant<PartialObjectMeta<Secret>>>(&self.client, namespace.as_deref());
        let config = lists.config(watcher::Config::default());
        lists.limit(watcher(names, config)).default_backoff().flat_map(move |event| {
            let changed = match event {
                Ok(Event::Apply(secret) | Event::Delete(secret) | Event::InitApply(secret)) => {
                    let key = (secret.namespace().unwrap_or_default(), secret.name_any());
                    self.forget(&key.0, &key.1);
                    Some(key)
                }
                // Changes while the watch was broken are not shown one by one.
                Ok(Event::Init) => {
                    self.known().forget_all(namespace.as_deref());
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

/// Whether a text can be the name of an object: a DNS subdomain (RFC 1123).
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let ends = |text: &str| text.starts_with(['-', '.']) || text.ends_with(['-', '.']);
    (1..=253).contains(&text.len()) && text.bytes().all(is_plain) && !ends(text) && !text.contains("..")
}

/// A question to the API server, which ends also if nobody waits for the answer any more.
struct Question<'a> {
    secrets: &'a Secrets,
    key: Option<Key>,
}

impl Question<'_> {
    fn keep(mut self, keys: Keys, content: Option<Arc<Content>>) {
        let Some(key) = self.key.take() else { return };
        let mut known = self.secrets.known();
        if known.answered(&key) {
            known.keep(key, keys, content, Instant::now());
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.secrets.known().answered(&key);
        }
    }
}

/// What is kept of a Secret. What somebody reads is kept whatever else there is: a note that was written and is not seen would be written
/// again for ever.
fn reduce<'a>(mut secret: Secret, keys: impl Iterator<Item = &'a str>, annotations: &[&str]) -> Content {
    let mut data = secret.data.take().unwrap_or_default();
    let metadata = &mut secret.metadata;
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.finalizers = None;
    strip_owners(metadata);
    if let Some(found) = &mut metadata.annotations {
        found.retain(|key, value| annotations.contains(&key.as_str()) && value.len() <= LONGEST_ANNOTATION);
    }
    if let Some(found) = &mut metadata.labels {
        let mut others = 0;
        found.retain(|key, _| {
            others += usize::from(!labels::is_set(key));
            labels::is_set(key) || others <= MOST_LABELS
        });
    }
    let mut content = Content { metadata: secret.metadata, ..Content::default() };
    for key in keys {
        match data.remove(key) {
            Some(value) if value.0.len() <= LONGEST => {
                content.values.insert(key.to_owned(), value.0);
            }
            Some(_) => content.too_long.push(key.to_owned()),
            None => {}
        }
    }
    content
}

#[cfg(test)]
mod tests;
