//! One object in a cache: its metadata, and the rest as text.
//!
//! An object of Kubernetes takes many times the size of its text once it is parsed: an element of three bytes can become a struct of three kilobytes. Whoever
//! writes an object chooses its text, so it is kept as text, and parsed for as long as somebody looks at it.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::key::Key;
use crate::object::Object;

/// What a JSON object inside an object counts for, in bytes, beside its text. The largest struct that one can become has 3.2 KB (a volume of a pod).
const PER_STRUCT: usize = 256;

/// The JSON of an object, and what it counts for.
pub(super) struct Packed {
    text: Box<str>,
    /// In bytes: the text, and [`PER_STRUCT`] for each JSON object in it.
    pub(super) weight: usize,
}

impl Packed {
    /// Nothing for an object that is no JSON.
    pub(super) fn of<K: Object>(object: &K) -> Option<Self> {
        let text = serde_json::to_string(object).ok()?.into_boxed_str();
        let weight = text.len() + PER_STRUCT * structs(&text);
        Some(Self { text, weight })
    }

    /// Bytes of the text.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// How many JSON objects a text has, itself included.
pub(crate) fn structs(text: &str) -> usize {
    let (mut count, mut in_string, mut is_escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

/// An object, or its metadata.
pub(super) struct Entry<K> {
    pub(super) metadata: Arc<ObjectMeta>,
    /// Nothing if only metadata is kept.
    pub(super) packed: Option<Packed>,
    /// What the text is counted for: the instance that owns the object, or the objects of a namespace that none owns.
    pub(super) account: Key,
    /// Whether an instance that exists owns the object.
    pub(super) is_owned: bool,
    digest: OnceLock<Arc<dyn Any + Send + Sync>>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Object> Entry<K> {
    pub(super) fn new(metadata: ObjectMeta, packed: Option<Packed>, account: Key, is_owned: bool) -> Self {
        let (digest, kind) = (OnceLock::new(), PhantomData);
        Self { metadata: Arc::new(metadata), packed, account, is_owned, digest, kind }
    }

    /// The object, as far as it is kept.
    pub(super) fn unpack(&self) -> Arc<K> {
        let whole = self.packed.as_ref().and_then(|packed| serde_json::from_str(&packed.text).ok());
        Arc::new(whole.unwrap_or_else(|| self.bare()))
    }

    /// Its metadata alone.
    pub(super) fn bare(&self) -> K {
        let mut object = K::default();
        *object.meta_mut() = ObjectMeta::clone(&self.metadata);
        object
    }

    /// What `digest` makes of the object. It is asked once for as long as the object stays as it is.
    pub(super) fn digest<D: Any + Send + Sync>(&self, digest: impl Fn(&K) -> D) -> Arc<D> {
        let make = || Arc::new(digest(&self.unpack()));
        let kept = self.digest.get_or_init(|| make());
        // Two questions about one kind: the second is answered anew each time.
        kept.clone().downcast().unwrap_or_else(|_| make())
    }

    /// Whether only metadata is kept because no instance that existed owned the object.
    pub(super) fn owner_was_unknown(&self) -> bool {
        self.packed.is_none() && !self.is_owned
    }

    fn text(&self) -> Option<&str> {
        self.packed.as_ref().map(|packed| &*packed.text)
    }

    pub(super) fn weight(&self) -> usize {
        self.packed.as_ref().map_or(0, |packed| packed.weight)
    }

    /// Whether it says the same as another entry of the same object.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.metadata == other.metadata
            && self.owner_was_unknown() == other.owner_was_unknown()
            && self.text() == other.text()
    }

    /// Bytes that are counted for its account.
    pub(super) fn counted(&self) -> usize {
        match &self.packed {
            Some(packed) if self.is_owned => packed.weight,
            Some(packed) => packed.bytes(),
            None => 0,
        }
    }
}
