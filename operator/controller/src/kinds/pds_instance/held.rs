//! Reads whether the operator's finalizer is on an instance, however large the instance is.
//!
//! Whoever may write an instance decides how large its metadata is. What is looked for is read beside text that is skipped, and an answer that cannot be
//! read is an error: an instance that is taken for one without the finalizer would keep it for ever.

use std::fmt;

use kube::api::{GetParams, Request};
use kube::{Client, Resource};
use operator_api::PdsInstance;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

/// Keeps an instance until its data is deleted.
pub const FINALIZER: &str = "auroralocus.dev/data";

/// What is known of an instance as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) finalizers: Finalizers,
}

/// The finalizers of an instance, of which there may be any number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Finalizers {
    /// How many there are.
    pub(super) count: usize,
    /// The index of the operator's finalizer, if it is there.
    pub(super) place: Option<usize>,
}

/// Requests for instances of a namespace whose answers are not parsed as a whole.
pub(super) fn requests(namespace: &str) -> Request {
    Request::new(PdsInstance::url_path(&(), Some(namespace)))
}

/// The text of an instance as it is stored.
pub(super) async fn text(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<String>> {
    let request = requests(namespace).get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    match client.request_text(request).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        other => other.map(Some),
    }
}

/// Reads the text of an instance.
///
/// # Errors
/// The text is not an instance with a uid.
pub(super) fn read(text: &str) -> serde_json::Result<Stored> {
    #[derive(Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        uid: String,
        resource_version: String,
        finalizers: Option<Finalizers>,
    }
    let Object { metadata: Metadata { uid, resource_version, finalizers } } = serde_json::from_str(text)?;
    Ok(Stored { uid, resource_version, finalizers: finalizers.unwrap_or_default() })
}

impl<'de> Deserialize<'de> for Finalizers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Finalizers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of finalizers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Finalizers, A::Error> {
                let mut found = Finalizers::default();
                while let Some(name) = names.next_element::<String>()? {
                    if name == FINALIZER {
                        found.place.get_or_insert(found.count);
                    }
                    found.count += 1;
                }
                Ok(found)
            }
        }
        deserializer.deserialize_seq(Names)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(metadata: &serde_json::Value) -> serde_json::Result<Stored> {
        let object = json!({"apiVersion": "auroralocus.dev/v1alpha1", "metadata": metadata, "spec": {"hostname": "a"}});
        read(&object.to_string())
    }

    /// R1 of the twelfth attack: 60,000 labels, and the finalizer seemed to be gone.
    #[test]
    fn the_finalizer_is_found_in_metadata_of_any_size() {
        let labels: serde_json::Map<_, _> = (0..60_000).map(|number| (format!("l{number:06}"), json!(""))).collect();
        let owners = vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"}); 20_000];
        let many = (0..20_000).map(|number| format!("test/{number}"));
        let finalizers: Vec<_> = many.chain([FINALIZER.into(), "test/last".into()]).collect();
        let metadata = json!({
            "uid": "u", "resourceVersion": "7", "name": "a", "labels": labels, "ownerReferences": owners, "managedFields": owners,
            "finalizers": finalizers,
        });
        let found = stored(&metadata).unwrap();
        assert_eq!((found.uid.as_str(), found.resource_version.as_str()), ("u", "7"));
        assert_eq!(found.finalizers, Finalizers { count: 20_002, place: Some(20_000) });
    }

    #[test]
    fn an_instance_without_finalizers_has_none() {
        for finalizers in [json!(null), json!([])] {
            let metadata = json!({"uid": "u", "resourceVersion": "7", "finalizers": finalizers});
            assert_eq!(stored(&metadata).unwrap().finalizers, Finalizers::default());
        }
        let found = stored(&json!({"uid": "u", "resourceVersion": "7", "finalizers": ["test/a"]})).unwrap();
        assert_eq!(found.finalizers, Finalizers { count: 1, place: None });
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(stored(&json!({"resourceVersion": "7"})).is_err());
        assert!(stored(&json!({"uid": "u", "resourceVersion": "7", "finalizers": "none"})).is_err());
        assert!(stored(&json!({"uid": "u", "resourceVersion": "7", "finalizers": [1]})).is_err());
        assert!(read("{}").is_err());
    }
}
