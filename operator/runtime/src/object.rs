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

/// Longest annotation that is kept, in bytes.
const LONGEST_ANNOTATION: usize = 4096;

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
/// metadata: managed fields, labels and annotations of others, owners that control nothing, and the version, which changes without
/// meaning. What the operator writes itself has to stay, or the object would seem to lack it.
pub fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.resource_version = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations
            .retain(|key, value| labels::ANNOTATIONS.contains(&key.as_str()) && value.len() <= LONGEST_ANNOTATION);
    }
    if let Some(labels) = &mut metadata.labels {
        labels.retain(|key, _| labels::LABELS.contains(&key.as_str()));
    }
    if let Some(owners) = &mut metadata.owner_references {
        owners.retain(|owner| owner.controller == Some(true));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::ServiceAccount;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    use super::*;
    use crate::manifest::Manifest;
    use crate::ownership::Lifetime;

    #[test]
    fn what_the_operator_wrote_is_still_there() {
        let owner = |name: &str, controller| OwnerReference { name: name.into(), controller, ..Default::default() };
        let role = BTreeMap::from([(labels::ROLE_ARN.to_owned(), "arn:aws:iam::1:role/a".to_owned())]);
        let metadata = ObjectMeta {
            name: Some("a".into()),
            labels: Some(labels::all("a", "pds")),
            annotations: Some(role),
            owner_references: Some(vec![owner("a", Some(true))]),
            ..Default::default()
        };
        let written = ServiceAccount { metadata, ..Default::default() };
        let manifest = Manifest::of(&written, Lifetime::Instance);
        let mut live: ServiceAccount = serde_json::from_value(manifest.json.clone()).unwrap();
        live.metadata.owner_references.get_or_insert_default().push(owner("b", None));
        strip(&mut live.metadata);
        assert!(!manifest.differs_from(&live));
    }

    #[test]
    fn what_others_wrote_is_not() {
        let large = "x".repeat(LONGEST_ANNOTATION + 1);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let annotations = [pair("auroralocus.dev/other", "1"), pair(labels::APPLIED_HASH, &large)];
        let labels = [pair("auroralocus.dev/other", "1"), pair("team", "a")];
        let mut metadata =
            ObjectMeta { annotations: Some(annotations.into()), labels: Some(labels.into()), ..Default::default() };
        strip(&mut metadata);
        assert_eq!((metadata.annotations.unwrap().len(), metadata.labels.unwrap().len()), (0, 0));
    }
}
