//! Server-side apply that writes only what differs.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{hash, labels};
use crate::context::Ctx;

/// The field manager of everything that is applied.
pub const MANAGER: &str = "aurora-locus-operator";
/// The annotation with the hash of what was applied last.
pub const APPLIED_HASH: &str = "auroralocus.dev/applied-hash";

/// What a kind must be able to do.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + k8s_openapi::Resource
    + Serialize
    + DeserializeOwned
    + Clone
    + Debug
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
        + Send
        + Sync
        + 'static
{
}

/// Makes the server hold `wanted`; looks first, and writes nothing if it does.
///
/// # Errors
/// What the API server answers.
pub async fn apply<K: Object>(ctx: &Ctx, namespace: &str, mut wanted: K) -> kube::Result<K> {
    let api = Api::<K>::namespaced(ctx.client.clone(), namespace);
    let hash = hash::of(&wanted, 32);
    wanted.annotations_mut().insert(APPLIED_HASH.into(), hash);
    let name = wanted.name_any();
    let value = to_value(&wanted)?;
    if let Some(seen) = ctx.cache.get::<K>(namespace, &name)
        && holds(&to_value(&*seen)?, &value)
    {
        return Ok(K::clone(&seen));
    }
    if let Some(live) = api.get_opt(&name).await?
        && holds(&to_value(&live)?, &value)
    {
        return Ok(live);
    }
    tracing::info!(kind = K::KIND, namespace, name, "apply");
    api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&wanted)).await
}

/// The object under a name, as the cache or else the API server knows it.
///
/// # Errors
/// What the API server answers.
pub async fn find<K: Object>(ctx: &Ctx, namespace: &str, name: &str) -> kube::Result<Option<K>> {
    if let Some(seen) = ctx.cache.get::<K>(namespace, name) {
        return Ok(Some(K::clone(&seen)));
    }
    Api::<K>::namespaced(ctx.client.clone(), namespace).get_opt(name).await
}

/// Deletes objects of an instance that are not among `wanted`.
///
/// # Errors
/// What the API server answers.
pub async fn prune<K: Object>(
    ctx: &Ctx,
    namespace: &str,
    instance: &str,
    owner: &str,
    wanted: &[String],
) -> kube::Result<()> {
    let api = Api::<K>::namespaced(ctx.client.clone(), namespace);
    let found = match ctx.cache.of_instance::<K>(namespace, instance).await {
        Some(seen) => seen,
        None => {
            let list = ListParams::default().labels(&labels::of_instance(instance));
            api.list(&list).await?.into_iter().map(Arc::new).collect()
        }
    };
    for live in found {
        let name = live.name_any();
        let is_ours = live.owner_references().iter().any(|reference| reference.uid == owner);
        if is_ours && !wanted.contains(&name) && live.meta().deletion_timestamp.is_none() {
            tracing::info!(kind = K::KIND, namespace, name, "prune");
            delete_exactly(&api, &*live).await?;
        }
    }
    Ok(())
}

/// Deletes `live` if it is still the same object. Gone already is fine.
///
/// # Errors
/// What the API server answers.
pub async fn delete_exactly<K: Object>(api: &Api<K>, live: &K) -> kube::Result<()> {
    let preconditions = Preconditions { uid: live.uid(), ..Default::default() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    ignore_absent(api.delete(&live.name_any(), &parameters).await.map(drop))
}

/// Takes "not found" for success.
///
/// # Errors
/// Every other error.
pub fn ignore_absent(result: kube::Result<()>) -> kube::Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}

fn to_value<K: Serialize>(object: &K) -> kube::Result<Value> {
    serde_json::to_value(object).map_err(kube::Error::SerdeError)
}

/// Whether `live` has everything that `wanted` says. The server may add fields, not list items.
fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| match live.get(key) {
            Some(live) => holds(live, wanted),
            None => is_empty(wanted),
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| holds(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// Whether the server drops such a value on its way.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::holds;

    #[test]
    fn defaults_of_the_server_are_no_difference() {
        let wanted = json!({"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}});
        let live =
            json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"a": "b"}, "type": "ClusterIP"}});
        assert!(holds(&live, &wanted));
    }

    #[test]
    fn a_changed_value_and_an_extra_item_are() {
        let wanted = json!({"spec": {"replicas": 2, "ports": [1]}});
        assert!(!holds(&json!({"spec": {"replicas": 3, "ports": [1]}}), &wanted));
        assert!(!holds(&json!({"spec": {"replicas": 2, "ports": [1, 2]}}), &wanted));
        assert!(!holds(&json!({"spec": {"ports": [1]}}), &wanted));
    }
}
