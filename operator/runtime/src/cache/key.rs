//! How an object and its instance are named in a cache.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::labels;

/// Namespace and name: of an object, or of the instance that it belongs to.
pub type Key = (String, String);

pub(super) fn key(metadata: &ObjectMeta) -> Key {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// The instance that the label of an object names.
pub(super) fn instance(metadata: &ObjectMeta) -> Option<Key> {
    let name = metadata.labels.as_ref()?.get(labels::INSTANCE)?;
    Some((metadata.namespace.clone().unwrap_or_default(), name.clone()))
}
