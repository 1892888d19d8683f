//! Conditions of an instance whose status this version may not be able to read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use operator_api::PdsInstance;
use operator_runtime::condition;
use operator_runtime::tolerant::Single;
use serde_json::{Value, json};

use crate::context::Ctx;

fn api(ctx: &Ctx, namespace: &str) -> Api<Single<DynamicObject>> {
    Api::namespaced_with(ctx.client.clone(), namespace, &ApiResource::erase::<PdsInstance>(&()))
}

/// An instance as it is stored, without its labels and annotations. One at a time.
pub(super) async fn fetch(ctx: &Ctx, namespace: &str, name: &str) -> kube::Result<Option<DynamicObject>> {
    let _one = ctx.fetching.lock().await;
    let live = api(ctx, namespace).get_opt(name).await?;
    Ok(live.and_then(|live| live.0.ok()).map(|mut live| {
        (live.metadata.labels, live.metadata.annotations, live.metadata.managed_fields) = (None, None, None);
        live
    }))
}

/// Sets conditions and leaves the rest of the status as it is, whatever it holds.
pub(super) async fn merge_conditions(
    ctx: &Ctx,
    namespace: &str,
    name: &str,
    list: &[(&str, bool, &str, &str)],
) -> kube::Result<()> {
    let Some(live) = fetch(ctx, namespace, name).await? else { return Ok(()) };
    let old = live.data.pointer("/status/conditions").cloned().unwrap_or(Value::Null);
    let old: Vec<Condition> = serde_json::from_value(old).unwrap_or_default();
    let mut conditions = old.clone();
    for (type_, status, reason, message) in list {
        condition::set(&mut conditions, type_, *status, reason, message, live.metadata.generation);
    }
    if conditions == old {
        return Ok(());
    }
    let patch = json!({"status": {"conditions": conditions}});
    // The API server answers with the whole object.
    let _one = ctx.fetching.lock().await;
    api(ctx, namespace).patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}
