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
const LONGEST: usize = 2048;

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

/// Keeps the controller among the owners: no other decides whose an object is. An owner whose names are longer than names can be is no
/// object of the cluster.
pub(crate) fn strip_owners(metadata: &mut ObjectMeta) {
    const LONGEST_NAME: usize = 253;
    let Some(owners) = &mut metadata.owner_references else { return };
    owners.retain(|owner| owner.controller == Some(true));
    owners.truncate(1);
    for owner in owners {
        for text in [&mut owner.api_version, &mut owner.kind, &mut owner.name, &mut owner.uid] {
            if text.len() > LONGEST_NAME {
                *text = String::new();
            }
        }
    }
}

/// Drops from an object what the operator does not compare, so that memory follows what it needs and not what others write into
/// metadata: managed fields, other people's annotations and labels, and the version, which changes without meaning.
pub fn strip(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.finalizers = None;
    strip_owners(metadata);
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, value| labels::COMPARED.contains(&key.as_str()) && value.len() <= LONGEST);
    }
    if let Some(labels) = &mut metadata.labels {
        labels.retain(|key, _| labels::is_set(key));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_the_operator_sets_stays_and_the_rest_goes() {
        let mut set = labels::all("web", "server");
        set.insert("auroralocus.dev/other".into(), "x".into());
        set.insert("app".into(), "x".into());
        let annotations = [
            (labels::APPLIED_HASH, "1".to_owned()),
            (labels::ROLE_ARN, "arn".to_owned()),
            ("auroralocus.dev/large", "x".repeat(100_000)),
            ("other.example/note", "x".to_owned()),
        ];
        let mut metadata = ObjectMeta {
            labels: Some(set),
            annotations: Some(annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            resource_version: Some("1".into()),
            managed_fields: Some(Vec::new()),
            ..Default::default()
        };
        strip(&mut metadata);
        assert_eq!(metadata.labels, Some(labels::all("web", "server")));
        let kept: BTreeMap<_, _> = metadata.annotations.unwrap();
        assert_eq!(kept.keys().map(String::as_str).collect::<Vec<_>>(), [labels::APPLIED_HASH, labels::ROLE_ARN]);
        assert_eq!((metadata.resource_version, metadata.managed_fields), (None, None));
    }

    #[test]
    fn an_annotation_of_any_length_costs_no_memory() {
        let annotations = Some([(labels::APPLIED_HASH.to_owned(), "x".repeat(LONGEST + 1))].into());
        let mut metadata = ObjectMeta { annotations, ..Default::default() };
        strip(&mut metadata);
        assert_eq!(metadata.annotations, Some(BTreeMap::new()));
    }
}
