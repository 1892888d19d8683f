//! Conditions of an instance whose status this version may not be able to read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use operator_api::PdsInstance;
use operator_runtime::condition;
use operator_runtime::tolerant::{Single, Tolerant};
use serde_json::{Value, json};

use crate::context::Ctx;

pub(super) fn api(ctx: &Ctx, namespace: &str) -> Api<Single<DynamicObject>> {
    Api::namespaced_with(ctx.client.clone(), namespace, &ApiResource::erase::<PdsInstance>(&()))
}

/// Sets conditions and leaves the rest of the status as it is, whatever it holds.
pub(super) async fn merge_conditions(
    ctx: &Ctx,
    namespace: &str,
    name: &str,
    list: &[(&str, bool, &str, &str)],
) -> kube::Result<()> {
    let api = api(ctx, namespace);
    let Some(Tolerant(Ok(live))) = api.get_opt(name).await? else { return Ok(()) };
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
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}
