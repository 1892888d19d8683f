//! What a kind must be able to do to be kept, compared and written.

use std::any::Any;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::labels;

/// A namespaced kind of Kubernetes.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + k8s_openapi::Resource
    + Serialize
    + DeserializeOwned
    + Clone
    + Debug
    + Default
    + PartialEq
    + Send
    + Sync
    + 'static
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + k8s_openapi::Resource
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + Default
        + PartialEq
        + Send
        + Sync
        + 'static
{
}

/// An object of any kind.
pub trait AnyObject: Any + Debug + Send + Sync {
    /// Its kind, for example `Deployment`.
    fn kind(&self) -> &'static str;
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Its JSON.
    fn json(&self) -> Value;
    /// For looking at it as its own kind.
    fn as_any(&self) -> &dyn Any;
}

impl<K: Object> AnyObject for K {
    fn kind(&self) -> &'static str {
        K::KIND
    }

    fn metadata(&self) -> &ObjectMeta {
        self.meta()
    }

    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Drops from an object what the operator does not look at, so that memory follows what it needs and not what others write into
/// metadata: managed fields, other people's annotations, and the version, which changes without meaning.
pub fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.resource_version = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| key.starts_with(labels::PREFIX));
    }
    if let Some(labels) = &mut metadata.labels {
        labels.retain(|key, _| key.starts_with(labels::PREFIX) || key == labels::MANAGED_BY_LABEL);
    }
}
