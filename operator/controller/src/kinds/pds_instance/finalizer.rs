//! The finalizer: on an instance only while data is to be deleted with it.

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use operator_api::PdsInstance;
use serde_json::json;

use super::wanted::Deletes;
use crate::context::Ctx;

/// Keeps an instance until its data is deleted.
pub const FINALIZER: &str = "auroralocus.dev/data";

/// Adds the finalizer if data is to be deleted with the instance, and removes it if not.
pub(super) async fn keep_finalizer(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<()> {
    let wanted = Deletes::of(pds.spec.deletion_policy.as_ref()).any();
    let has = pds.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if wanted == has {
        return Ok(());
    }
    let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
    change_finalizer(ctx.client.clone(), &namespace, &name, &pds.uid().unwrap_or_default(), wanted).await
}

/// Sets or removes the finalizer. What a watch showed may be old by now, so it is read again until nobody wrote between.
pub(super) async fn change_finalizer(
    client: kube::Client,
    namespace: &str,
    name: &str,
    uid: &str,
    wanted: bool,
) -> kube::Result<()> {
    let api = Api::<PdsInstance>::namespaced(client, namespace);
    loop {
        let Some(live) = api.get_metadata_opt(name).await?.filter(|live| live.uid().as_deref() == Some(uid)) else {
            return Ok(());
        };
        let mut finalizers: Vec<_> = live.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
        if wanted {
            finalizers.push(FINALIZER.into());
        }
        let patch = json!({"metadata": {"resourceVersion": live.resource_version(), "finalizers": finalizers}});
        match api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            other => return other.map(drop),
        }
    }
}

/// Removes the finalizer from every instance, so that nothing waits for an operator that is gone. Data is retained then.
///
/// # Errors
/// What the API server answers.
pub async fn release(client: &kube::Client) -> kube::Result<usize> {
    let api = Api::<PdsInstance>::all(client.clone());
    let all = api.list_metadata(&kube::api::ListParams::default()).await?;
    let mut released = 0;
    for pds in all.items.iter().filter(|pds| pds.finalizers().iter().any(|name| name == FINALIZER)) {
        let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
        change_finalizer(client.clone(), &namespace, &name, &pds.uid().unwrap_or_default(), false).await?;
        tracing::info!(
            "PdsInstance {namespace}/{name} no longer waits for the operator; its data is retained when it is deleted"
        );
        released += 1;
    }
    Ok(released)
}
