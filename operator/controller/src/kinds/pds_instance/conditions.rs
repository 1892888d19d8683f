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

/// Maximum number of bytes of a spec or a status that is looked at. The schema allows a fraction of it.
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
    let data = json!({"spec": value(stored.spec)?, "status": value(stored.status)?});
    let object = DynamicObject::new("", &ApiResource::erase::<PdsInstance>(&())).data(data);
    Ok(DynamicObject { metadata, ..object })
}

#[cfg(test)]
mod tests {
    use super::*;

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
