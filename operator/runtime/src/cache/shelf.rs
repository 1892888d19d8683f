//! Objects of one kind, each as much of it as the limits allow, and the bytes that instances take.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::Serialize;

use super::key::{Key, instance, key};
use super::limits::Limits;
use crate::object::Object;

/// An object, or its metadata.
pub(super) struct Entry<K> {
    pub(super) object: Arc<K>,
    /// Bytes of JSON that are counted; none if only metadata is kept.
    bytes: usize,
    /// What they are counted for: the instance that owns the object, or the objects of a namespace that none owns.
    account: Key,
    /// Whether only metadata is kept, and no instance that existed owned the object.
    pub(super) owner_was_unknown: bool,
}

pub(super) struct Shelf<K> {
    objects: HashMap<Key, Entry<K>>,
    /// Bytes by account, see [`Entry::account`]. The difference between two entries of one object is at most what one object may have.
    bytes: HashMap<Key, usize>,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self { objects: HashMap::new(), bytes: HashMap::new() }
    }
}

impl<K: Object> Shelf<K> {
    /// The entry for an object. It is kept whole if that is within the limits.
    pub(super) fn trim(&self, object: K, limits: &Limits) -> Entry<K> {
        let is_owned = has_known_owner(&object, limits);
        let account = instance(&object).filter(|_| is_owned);
        let account = account.unwrap_or_else(|| (object.meta().namespace.clone().unwrap_or_default(), String::new()));
        let bytes = size(&object);
        let old = self.objects.get(&key(&object)).filter(|entry| entry.account == account);
        let taken = self.bytes.get(&account).copied().unwrap_or(0);
        let most = if is_owned { limits.instance } else { limits.namespace };
        let fits = taken.saturating_sub(old.map_or(0, |entry| entry.bytes)) + bytes <= most;
        if fits && (is_owned || bytes <= limits.unowned) {
            return Entry { object: Arc::new(object), bytes, account, owner_was_unknown: false };
        }
        let mut bare = K::default();
        // Of what is not counted there is nothing left whose length its writer chooses.
        *bare.meta_mut() = ObjectMeta { annotations: None, generate_name: None, ..object.meta().clone() };
        Entry { object: Arc::new(bare), bytes: 0, account, owner_was_unknown: !is_owned }
    }

    pub(super) fn put(&mut self, entry: Entry<K>) {
        let key = key(&*entry.object);
        self.remove(&key);
        if entry.bytes > 0 {
            *self.bytes.entry(entry.account.clone()).or_default() += entry.bytes;
        }
        self.objects.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Entry<K>> {
        let entry = self.objects.remove(key)?;
        if let Some(bytes) = self.bytes.get_mut(&entry.account) {
            *bytes = bytes.saturating_sub(entry.bytes);
            if *bytes == 0 {
                self.bytes.remove(&entry.account);
            }
        }
        Some(entry)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Entry<K>> {
        self.objects.get(key)
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.objects.contains_key(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.keys()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<K>> {
        self.objects.values()
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry<K>> {
        self.objects.into_values()
    }
}

/// Whether the controller of an object is an instance that exists, and the label names the same one. An owner of another kind proves nothing: anybody
/// may name one. With another name in the label than in the owner, one instance could have objects on the account of any number of others.
pub(super) fn has_known_owner<K: Resource>(object: &K, limits: &Limits) -> bool {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    let owner = object.meta().owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let is_named = |owner: &&OwnerReference| instance(object).is_some_and(|(_, name)| name == owner.name);
    owner.filter(is_named).is_some_and(|owner| (limits.known)(namespace, owner))
}

/// Bytes of JSON.
fn size<K: Serialize>(object: &K) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // An object that is no JSON counts as too large.
    serde_json::to_writer(&mut count, object).map_or(usize::MAX / 2, |()| count.0)
}
