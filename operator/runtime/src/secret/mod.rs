//! What Secrets hold, fetched when it is needed and kept until a watch says that it changed.
//!
//! Secrets are written by tenants: only the keys that somebody asked for are kept, and only up to a size. The watch shows names alone,
//! so memory follows the Secrets that instances use, however many there are and however large.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
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

/// Longest value that is kept, in bytes: a certificate with its chain fits.
pub const LONGEST: usize = 65_536;
/// Longest annotation that is kept, in bytes: a bucket's name, a fingerprint.
const LONGEST_ANNOTATION: usize = 1024;
/// Maximum number of bytes kept of the Secrets of one namespace. What was not used for the longest time goes first.
const NAMESPACE_BYTES: usize = 8 << 20;
/// What a pair of texts takes beside its bytes.
const PAIR: usize = 64;
/// Maximum number of labels that are kept beside those that this crate sets.
const MOST_LABELS: usize = 64;
/// Time after which an unused entry is dropped.
const UNUSED: Duration = Duration::from_secs(1200);

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

impl Entry {
    /// About what the entry takes, labels and annotations included: whoever writes a Secret writes those, too.
    fn bytes(&self) -> usize {
        const OVERHEAD: usize = 512;
        let Some(content) = &self.content else { return OVERHEAD };
        let texts = |map: &Option<BTreeMap<String, String>>| {
            map.iter().flatten().map(|(key, value)| key.len() + value.len() + PAIR).sum::<usize>()
        };
        let values = content.values.iter().map(|(key, value)| key.len() + value.len() + PAIR).sum::<usize>();
        OVERHEAD + values + texts(&content.metadata.labels) + texts(&content.metadata.annotations)
    }
}

/// An answer that is under way.
#[derive(Debug, Default)]
struct Asked {
    readers: usize,
    /// Whether the Secret changed meanwhile, so that the answer is not kept.
    is_stale: bool,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Key, Entry>,
    asked: HashMap<Key, Asked>,
}

impl Known {
    fn forget(&mut self, key: &Key) {
        self.entries.remove(key);
        if let Some(asked) = self.asked.get_mut(key) {
            asked.is_stale = true;
        }
    }

    /// Ends a question; true if the answer may be kept.
    fn answered(&mut self, key: &Key) -> bool {
        let Some(asked) = self.asked.get_mut(key) else { return false };
        asked.readers -= 1;
        let is_fresh = !asked.is_stale;
        if asked.readers == 0 {
            self.asked.remove(key);
        }
        is_fresh
    }

    fn keep(&mut self, key: Key, entry: Entry) {
        self.entries.retain(|_, entry| entry.used.elapsed() < UNUSED);
        let namespace = key.0.clone();
        self.entries.insert(key, entry);
        let mut own: Vec<_> = self.entries.iter().filter(|(key, _)| key.0 == namespace).collect();
        let mut bytes: usize = own.iter().map(|(_, entry)| entry.bytes()).sum();
        if bytes <= NAMESPACE_BYTES {
            return;
        }
        own.sort_by_key(|(_, entry)| entry.used);
        let mut dropped = Vec::new();
        for (key, entry) in own {
            if bytes <= NAMESPACE_BYTES {
                break;
            }
            bytes -= entry.bytes();
            dropped.push(key.clone());
        }
        dropped.iter().for_each(|key| drop(self.entries.remove(key)));
    }
}

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
        let mut wanted: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = known.entries.get_mut(&key) {
                if wanted.iter().all(|key| entry.keys.contains(key)) {
                    entry.used = Instant::now();
                    return Ok(entry.content.as_ref().map(|content| content.only(keys)));
                }
                wanted
                    .extend(entry.keys.iter().filter(|key| !keys.contains(&key.as_str())).cloned().collect::<Vec<_>>());
            }
            known.asked.entry(key.clone()).or_default().readers += 1;
        }
        let question = Question { secrets: self, key: Some(key) };
        let secret = {
            let _turn = self.reads.take(namespace).await;
            let secret = Api::<Whole>::namespaced(self.client.clone(), namespace).get_opt(name).await?;
            secret.map(|Tolerant(secret)| match secret {
                Ok(secret) => Ok(Arc::new(reduce(secret, &wanted, self.annotations))),
                Err(invalid) => Err(invalid.error),
            })
        };
        let content = secret.transpose().map_err(|why| {
            let text = format!("Secret {namespace}/{name} cannot be read: {why}");
            kube::Error::Service(text.into())
        })?;
        question.keep(Entry { keys: wanted, content: content.clone(), used: Instant::now() });
        Ok(content.map(|content| content.only(keys)))
    }

    /// Forgets a Secret that was just written.
    pub fn forget(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).forget(&key);
    }

    fn forget_all(&self, namespace: Option<&str>) {
        let is_concerned = |key: &Key| namespace.is_none_or(|namespace| key.0 == namespace);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entries.retain(|key, _| !is_concerned(key));
        known.asked.iter_mut().filter(|(key, _)| is_concerned(key)).for_each(|(_, asked)| asked.is_stale = true);
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
    fn keep(mut self, entry: Entry) {
        let Some(key) = self.key.take() else { return };
        let mut known = self.secrets.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.answered(&key) {
            known.keep(key, entry);
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.secrets.known.lock().unwrap_or_else(PoisonError::into_inner).answered(&key);
        }
    }
}

/// What is kept of a Secret. What somebody reads is kept whatever else there is: a note that was written and is not seen would be written
/// again for ever.
fn reduce(mut secret: Secret, keys: &[String], annotations: &[&str]) -> Content {
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
                content.values.insert(key.clone(), value.0);
            }
            Some(_) => content.too_long.push(key.clone()),
            None => {}
        }
    }
    content
}

#[cfg(test)]
mod tests;
