//! How an object and its instance are named in a cache.

use kube::{Resource, ResourceExt};

use crate::labels;

/// Namespace and name: of an object, or of the instance that it belongs to.
pub type Key = (String, String);

pub(super) fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// The instance that the label of an object names.
pub(super) fn instance<K: Resource>(object: &K) -> Option<Key> {
    let name = object.labels().get(labels::INSTANCE)?;
    Some((object.namespace().unwrap_or_default(), name.clone()))
}
