//! Conditions of an instance whose status this version may not be able to read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use kube::Client;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use operator_api::PdsInstance;
use operator_runtime::condition;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::held::{FINALIZER, Finalizers, requests, text};
use crate::context::Ctx;

/// Maximum number of bytes of a spec or a status that is looked at as a whole. Of a longer spec the fields that decide about the end of the instance
/// are.
const MOST_BYTES: usize = 256 << 10;

/// An instance as it is stored, without what its writer may fill without bounds: labels, annotations, owners, managed fields, and finalizers
/// other than the operator's. Namespaces take turns.
pub(super) async fn fetch(ctx: &Ctx, namespace: &str, name: &str) -> kube::Result<Option<DynamicObject>> {
    let _turn = ctx.fetching.take(namespace).await;
    stored(&ctx.client, namespace, name).await
}

/// The same for a command that does one thing after the other.
pub(super) async fn stored(client: &Client, namespace: &str, name: &str) -> kube::Result<Option<DynamicObject>> {
    let text = text(client, namespace, name).await?;
    text.map(|text| read(&text)).transpose().map_err(kube::Error::SerdeError)
}

/// Sets conditions and leaves the rest of the status as it is, whatever it holds. True if a reason or a message is another one than before.
pub(super) async fn merge_conditions(
    ctx: &Ctx,
    namespace: &str,
    name: &str,
    list: &[(&str, bool, &str, &str)],
) -> kube::Result<bool> {
    let Some(live) = fetch(ctx, namespace, name).await? else { return Ok(false) };
    let old = live.data.pointer("/status/conditions").cloned().unwrap_or(Value::Null);
    let old: Vec<Condition> = serde_json::from_value(old).unwrap_or_default();
    let mut conditions = old.clone();
    for (type_, status, reason, message) in list {
        condition::set(&mut conditions, type_, *status, reason, message, live.metadata.generation);
    }
    if conditions == old {
        return Ok(false);
    }
    let words = |list: &[Condition]| {
        list.iter().map(|found| (found.type_.clone(), found.reason.clone(), found.message.clone())).collect::<Vec<_>>()
    };
    let is_news = words(&conditions) != words(&old);
    let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
    let request = requests(namespace).patch_subresource("status", name, &PatchParams::default(), &patch);
    // The API server answers with the whole object, which is not parsed.
    let _turn = ctx.fetching.take(namespace).await;
    ctx.client.request_text(request.map_err(kube::Error::BuildRequest)?).await?;
    Ok(is_news)
}

/// Reads what is kept of an instance. Everything else is skipped as text, since it takes many times its size once it is parsed.
fn read(text: &str) -> serde_json::Result<DynamicObject> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        metadata: Identity,
        #[serde(borrow)]
        spec: Option<&'a RawValue>,
        #[serde(borrow)]
        status: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Identity {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
        deletion_timestamp: Option<Time>,
        finalizers: Option<Finalizers>,
    }
    let stored: Stored<'_> = serde_json::from_str(text)?;
    let value = |part: Option<&RawValue>| {
        let part = part.map(RawValue::get).filter(|part| part.len() <= MOST_BYTES);
        part.map(serde_json::from_str::<Value>).transpose().map(Option::unwrap_or_default)
    };
    let Identity { name, namespace, uid, resource_version, generation, deletion_timestamp, finalizers } =
        stored.metadata;
    let finalizers = finalizers.and_then(|found| found.place).map(|_| vec![FINALIZER.to_owned()]);
    let metadata = ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        generation,
        deletion_timestamp,
        finalizers,
        ..ObjectMeta::default()
    };
    let spec = match stored.spec {
        Some(long) if long.get().len() > MOST_BYTES => of_long_spec(long)?,
        other => value(other)?,
    };
    let data = json!({"spec": spec, "status": value(stored.status)?});
    let object = DynamicObject::new("", &ApiResource::erase::<PdsInstance>(&())).data(data);
    Ok(DynamicObject { metadata, ..object })
}

/// What a spec of any length says of its class, and of what is deleted with the instance.
///
/// # Errors
/// One of these fields is too long.
fn of_long_spec(spec: &RawValue) -> serde_json::Result<Value> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec<'a> {
        #[serde(borrow)]
        class_name: Option<&'a RawValue>,
        #[serde(borrow)]
        deletion_policy: Option<&'a RawValue>,
        #[serde(borrow)]
        blob_store: Option<&'a RawValue>,
        #[serde(borrow)]
        database: Option<&'a RawValue>,
    }
    let found: Spec<'_> = serde_json::from_str(spec.get())?;
    let mut short = serde_json::Map::new();
    for (name, part) in [
        ("className", found.class_name),
        ("deletionPolicy", found.deletion_policy),
        ("blobStore", found.blob_store),
        ("database", found.database),
    ] {
        let Some(part) = part else { continue };
        if part.get().len() > MOST_BYTES {
            return Err(serde::de::Error::custom(format!("spec.{name} has {} bytes", part.get().len())));
        }
        short.insert(name.to_owned(), serde_json::from_str(part.get())?);
    }
    Ok(short.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of such an instance stayed when it was deleted, whatever its policy said.
    #[test]
    fn a_long_spec_still_says_what_is_deleted() {
        let policy = json!({"database": "Delete", "keys": "Delete"});
        let spec = json!({"className": "a", "deletionPolicy": policy, "email": {"templates": "x".repeat(MOST_BYTES)}});
        let found = read(&json!({"metadata": {"name": "a"}, "spec": spec}).to_string()).unwrap();
        assert_eq!(found.data["spec"], json!({"className": "a", "deletionPolicy": policy}));
        let spec = json!({"deletionPolicy": {"x": "x".repeat(MOST_BYTES)}});
        assert!(read(&json!({"metadata": {"name": "a"}, "spec": spec}).to_string()).is_err());
    }

    #[test]
    fn what_has_no_bounds_is_left_out_and_the_end_of_an_instance_is_known() {
        let finalizers: Vec<_> = (0..1_000).map(|number| format!("test/{number}")).chain([FINALIZER.into()]).collect();
        let labels: serde_json::Map<_, _> = (0..1_000).map(|number| (number.to_string(), json!(""))).collect();
        let owners = vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"}); 1_000];
        let object = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance",
            "metadata": {
                "name": "a", "namespace": "ns", "uid": "7", "generation": 3, "deletionTimestamp": "2026-01-01T00:00:00Z",
                "labels": labels, "annotations": labels, "ownerReferences": owners, "managedFields": owners,
                "finalizers": finalizers,
            },
            "spec": {"className": "c", "network": {"policy": "Audited"}}, "status": {"resolved": {"bucket": "b"}},
        });
        let read = read(&object.to_string()).unwrap();
        assert_eq!(read.metadata.finalizers.as_deref(), Some(&[FINALIZER.to_owned()][..]));
        assert_eq!((read.metadata.uid.as_deref(), read.metadata.generation), (Some("7"), Some(3)));
        assert!(read.metadata.deletion_timestamp.is_some() && read.metadata.labels.is_none());
        assert!(read.metadata.annotations.is_none() && read.metadata.owner_references.is_none());
        assert_eq!(read.data.pointer("/status/resolved/bucket"), Some(&json!("b")));
        assert_eq!(read.data.pointer("/spec/className"), Some(&json!("c")));
    }

    #[test]
    fn an_instance_without_status_and_finalizers_is_read() {
        let read = read(r#"{"metadata":{"name":"a","namespace":"ns"},"spec":{"hostname":"a.test"}}"#).unwrap();
        assert_eq!((read.metadata.finalizers, read.data.pointer("/status")), (None, Some(&Value::Null)));
    }
}
