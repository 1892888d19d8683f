//! Reading what the API server sends of objects that strangers wrote: one that cannot be read never keeps others from being read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::PartialObjectMeta;
use kube::core::error_boundary::InvalidObject;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cache::structs;

/// An object, or why it cannot be read.
///
/// As [`kube::core::DeserializeGuard`], with two differences. `metadata.managedFields` is left out: whoever may write an object may fill it with JSON of
/// any depth, and a parser that meets its limit of depth fails for the whole list, not for the object; times in it may be of years that no type
/// here has. And a watch of metadata stays one: the guard would fetch whole objects.
///
/// An object with more than `MAX` bytes of JSON without its managed fields, or with more than `STRUCTS` JSON objects in it, counts as unreadable.
#[derive(Debug, Clone)]
pub struct Tolerant<K, const MAX: usize = MAX_BYTES, const STRUCTS: usize = MAX_STRUCTS>(pub Result<K, InvalidObject>);

/// One object that is read or written by itself. It may be as large as the API server takes. For kinds whose structs the API server limits, and for metadata.
pub type Single<K> = Tolerant<K, { 2 << 20 }, 20_000>;

/// The metadata of one object of any kind.
pub type SingleMeta<K> = Single<PartialObjectMeta<K>>;

/// Usual maximum size of an object without its managed fields, in bytes of JSON: annotations may have 256 KiB. The number of labels, finalizers and the like
/// has no limit of its own, and each takes many times its size once it is parsed.
const MAX_BYTES: usize = 400 << 10;

/// Maximum number of JSON objects in an object. Each can become a struct of 3.2 KB (a volume of a pod) and takes two bytes of text. A Deployment with
/// every setting has about 120.
const MAX_STRUCTS: usize = 512;

/// Fields of an object, or of its metadata, whose values are not parsed.
type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

impl<'de, K: DeserializeOwned, const MAX: usize, const STRUCTS: usize> Deserialize<'de> for Tolerant<K, MAX, STRUCTS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is skipped over without recursion, however deep it is.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        read(text.get(), MAX, STRUCTS).map(Self).map_err(|error| D::Error::custom(error.to_string()))
    }
}

/// # Errors
/// The text is no object at all.
fn read<K: DeserializeOwned>(
    text: &str,
    max_bytes: usize,
    max_structs: usize,
) -> serde_json::Result<Result<K, InvalidObject>> {
    let mut object: Fields<'_> = serde_json::from_str(text)?;
    let metadata = object.get("metadata").map(|metadata| without_managed_fields(metadata.get())).transpose()?;
    if let Some(metadata) = &metadata {
        object.insert("metadata".into(), metadata);
    }
    let object = serde_json::to_string(&object)?;
    let invalid = |error: String, is_small: bool| InvalidObject {
        error,
        metadata: metadata.map(|metadata| metadata_of(metadata.get(), is_small)).unwrap_or_default(),
    };
    if object.len() > max_bytes {
        let error =
            format!("it has {} bytes without its managed fields, and at most {max_bytes} are read", object.len());
        return Ok(Err(invalid(error, false)));
    }
    let structs = structs(&object);
    if structs > max_structs {
        let error = format!("it has {structs} JSON objects inside, and at most {max_structs} are read");
        return Ok(Err(invalid(error, false)));
    }
    Ok(serde_json::from_str(&object).map_err(|error| invalid(error.to_string(), true)))
}

fn without_managed_fields(metadata: &str) -> serde_json::Result<Box<RawValue>> {
    let mut fields: Fields<'_> = serde_json::from_str(metadata)?;
    fields.remove("managedFields");
    serde_json::value::to_raw_value(&fields)
}

/// The metadata, or what the API server itself has set of it: if it cannot be read or is not small.
fn metadata_of(metadata: &str, is_small: bool) -> ObjectMeta {
    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Identity {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
    }
    let whole = if is_small { serde_json::from_str(metadata).ok() } else { None };
    whole.unwrap_or_else(|| {
        let Ok(Identity { name, namespace, uid, resource_version }) = serde_json::from_str(metadata) else {
            return ObjectMeta::default();
        };
        ObjectMeta { name, namespace, uid, resource_version, ..Default::default() }
    })
}

impl<K: Resource, const MAX: usize, const STRUCTS: usize> Resource for Tolerant<K, MAX, STRUCTS> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|invalid| &invalid.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|invalid| &mut invalid.metadata, K::meta_mut)
    }

    fn metadata_api() -> bool {
        K::metadata_api()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Event, Pod, Secret, ServiceAccount};
    use kube::core::{ObjectList, WatchEvent};

    use super::*;

    /// A Secret as the API server sends it, with `managed` as its `managedFields`.
    fn secret(name: &str, managed: &str) -> String {
        format!(
            r#"{{"kind":"Secret","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"n","uid":"u","managedFields":{managed},"labels":{{"a":"b"}}}},"data":{{"k":"dg=="}}}}"#
        )
    }

    /// `managedFields` that are deeper than the parser's limit, and of a year that no type here has.
    fn hostile() -> [String; 2] {
        let deep =
            format!(r#"[{{"fieldsV1":{}{}}}]"#, r#"{"f:a":"#.repeat(5_000), "{}".to_owned() + &"}".repeat(5_000));
        [deep, r#"[{"time":"10000-01-01T22:59:59Z"}]"#.to_owned()]
    }

    #[test]
    fn managed_fields_of_one_object_keep_no_other_from_being_read() {
        for managed in hostile() {
            let list = format!(
                r#"{{"kind":"SecretList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{},{}]}}"#,
                secret("hostile", &managed),
                secret("other", "[]")
            );
            assert!(serde_json::from_str::<ObjectList<Secret>>(&list).is_err(), "without the type it does");
            let read: ObjectList<Tolerant<Secret>> = serde_json::from_str(&list).unwrap();
            let read: Vec<_> = read.items.into_iter().map(|item| item.0.unwrap()).collect();
            assert_eq!(
                read.iter().map(|secret| secret.metadata.name.clone().unwrap()).collect::<Vec<_>>(),
                ["hostile", "other"]
            );
            assert_eq!(read[0].metadata.managed_fields, None);
            assert_eq!(read[0].data.as_ref().unwrap()["k"].0, b"v");

            let event = format!(r#"{{"type":"MODIFIED","object":{}}}"#, secret("hostile", &managed));
            let WatchEvent::Modified(Tolerant(read)) =
                serde_json::from_str::<WatchEvent<Tolerant<PartialObjectMeta<Secret>>>>(&event).unwrap()
            else {
                panic!("a change");
            };
            assert_eq!(read.unwrap().metadata.labels.unwrap()["a"], "b");
        }
    }

    #[test]
    fn an_object_that_cannot_be_read_keeps_its_identity() {
        let pod =
            r#"{"metadata":{"name":"p","namespace":"n","uid":"u","labels":{"a":"b"}},"spec":{"containers":"none"}}"#;
        let invalid = serde_json::from_str::<Tolerant<Pod>>(pod).unwrap().0.unwrap_err();
        assert_eq!((invalid.metadata.uid.as_deref(), invalid.metadata.labels.unwrap().len()), (Some("u"), 1));
        let event = r#"{"metadata":{"name":"e","namespace":"n","creationTimestamp":"10000-01-01T00:00:00Z"},"involvedObject":{}}"#;
        let invalid = serde_json::from_str::<Tolerant<Event>>(event).unwrap().0.unwrap_err();
        assert_eq!((invalid.metadata.name.as_deref(), invalid.metadata.namespace.as_deref()), (Some("e"), Some("n")));
        assert!(serde_json::from_str::<Tolerant<Pod>>("[]").is_err());
        let labels: BTreeMap<_, _> = (0..40_000).map(|n| (format!("label{n}"), "")).collect();
        let large =
            serde_json::json!({"metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": labels}}).to_string();
        let invalid = serde_json::from_str::<Tolerant<Pod>>(&large).unwrap().0.unwrap_err();
        assert_eq!((invalid.metadata.name.as_deref(), invalid.metadata.labels), (Some("p"), None));
        assert!(invalid.error.contains("at most 409600 are read"), "{}", invalid.error);
    }

    #[test]
    fn an_object_of_many_elements_is_not_parsed() {
        let account = |count: usize| {
            let secrets = vec!["{}"; count].join(",");
            format!(r#"{{"metadata":{{"name":"a","namespace":"n"}},"secrets":[{secrets}]}}"#)
        };
        let read = |count| serde_json::from_str::<Tolerant<ServiceAccount>>(&account(count)).unwrap();
        assert_eq!(read(500).0.unwrap().secrets.unwrap().len(), 500);
        let invalid = read(1_000).0.unwrap_err();
        assert_eq!(invalid.metadata.name.as_deref(), Some("a"));
        assert!(invalid.error.contains("at most 512 are read"), "{}", invalid.error);
    }

    #[test]
    fn a_watch_of_metadata_stays_one() {
        assert!(Tolerant::<PartialObjectMeta<Secret>>::metadata_api());
        assert!(!Tolerant::<Secret>::metadata_api());
    }
}
