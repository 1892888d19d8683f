//! Objects of one kind, each as much of it as the limits allow, and the bytes that instances take.

use std::collections::HashMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::entry::{Entry, Packed};
use super::key::{Key, instance, key};
use super::limits::Limits;
use crate::object::Object;
use crate::ownership::orphaned_by;

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
    pub(super) fn trim(&self, object: &K, limits: &Limits) -> Entry<K> {
        let metadata = object.meta();
        let is_owned = has_known_owner(metadata, limits);
        let account = instance(metadata).filter(|_| is_owned);
        let account = account.unwrap_or_else(|| (metadata.namespace.clone().unwrap_or_default(), String::new()));
        let old = self.objects.get(&key(metadata)).filter(|entry| entry.account == account);
        let taken = self.bytes.get(&account).copied().unwrap_or(0).saturating_sub(old.map_or(0, Entry::counted));
        let fits = |packed: &Packed| {
            if is_owned {
                taken + packed.weight <= limits.instance
            } else {
                taken + packed.bytes() <= limits.namespace && packed.bytes() <= limits.unowned
            }
        };
        if let Some(packed) = Packed::of(object).filter(fits) {
            return Entry::new(metadata.clone(), Some(packed), account, is_owned);
        }
        // Of what is not counted there is nothing left whose length its writer chooses.
        let bare = ObjectMeta { annotations: None, generate_name: None, ..metadata.clone() };
        Entry::new(bare, None, account, is_owned)
    }

    pub(super) fn put(&mut self, entry: Entry<K>) {
        let key = key(&entry.metadata);
        self.remove(&key);
        let counted = entry.counted();
        if counted > 0 {
            *self.bytes.entry(entry.account.clone()).or_default() += counted;
        }
        self.objects.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Entry<K>> {
        let entry = self.objects.remove(key)?;
        if let Some(bytes) = self.bytes.get_mut(&entry.account) {
            *bytes = bytes.saturating_sub(entry.counted());
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
///
/// An object without a controller is its instance's by the UID in its label; the owner reference that stands for that has no kind.
pub(super) fn has_known_owner(metadata: &ObjectMeta, limits: &Limits) -> bool {
    let Some((namespace, name)) = instance(metadata) else { return false };
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    match (owner, orphaned_by(metadata)) {
        (Some(owner), _) => owner.name == name && (limits.known)(&namespace, owner),
        (None, Some(uid)) => {
            (limits.known)(&namespace, &OwnerReference { name, uid: uid.to_owned(), ..Default::default() })
        }
        (None, None) => false,
    }
}
