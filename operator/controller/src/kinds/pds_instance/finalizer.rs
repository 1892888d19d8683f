//! The finalizer: on an instance only while data is to be deleted with it.

use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams};
use operator_api::{PdsClass, PdsInstance};
use operator_runtime::tolerant::Tolerant;
use serde_json::json;

use super::wanted::Deletes;
use crate::context::Ctx;
use crate::options::{CONTROLLER_NAME, Options};

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
    let api = Api::<Tolerant<PartialObjectMeta<PdsInstance>>>::namespaced(client, namespace);
    const TRIES: usize = 20;
    for tries in 1.. {
        let Some(live) = api.get_opt(name).await?.filter(|live| live.uid().as_deref() == Some(uid)) else {
            return Ok(());
        };
        let mut finalizers: Vec<_> = live.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
        if wanted {
            finalizers.push(FINALIZER.into());
        }
        let patch = json!({"metadata": {"resourceVersion": live.resource_version(), "finalizers": finalizers}});
        match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// Removes the finalizer from every instance that this installation serves, so that nothing waits for an operator that is gone. Data is
/// retained then. An instance whose class is gone belongs to the installation with the usual controller name.
///
/// # Errors
/// What the API server answers.
pub async fn release(client: &kube::Client, options: &Options) -> kube::Result<usize> {
    let classes = Api::<PdsClass>::all(client.clone()).list(&ListParams::default()).await?.items;
    let is_default = |class: &&PdsClass| class.spec.default == Some(true) && options.serves(class);
    let default = classes.iter().find(is_default).map(ResourceExt::name_any);
    let is_served = |pds: &DynamicObject| {
        let text = |path: &str| pds.data.pointer(path).and_then(|value| value.as_str());
        let chosen = text("/spec/className").or_else(|| text("/status/className")).or(default.as_deref());
        match classes.iter().find(|class| Some(class.name_any().as_str()) == chosen) {
            Some(class) => options.serves(class),
            None => options.controller_name == CONTROLLER_NAME,
        }
    };
    // As they are stored: an instance that this version cannot read has a finalizer, too.
    let kind = ApiResource::erase::<PdsInstance>(&());
    let mut all = Vec::new();
    for namespace in options.scope().watches() {
        let api: Api<Tolerant<DynamicObject>> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        };
        all.extend(api.list(&ListParams::default()).await?.items.into_iter().filter_map(|found| found.0.ok()));
    }
    let mut released = 0;
    let waits = |pds: &&DynamicObject| pds.finalizers().iter().any(|name| name == FINALIZER);
    for pds in all.iter().filter(waits).filter(|pds| is_served(pds)) {
        let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
        change_finalizer(client.clone(), &namespace, &name, &pds.uid().unwrap_or_default(), false).await?;
        tracing::info!(
            "PdsInstance {namespace}/{name} no longer waits for the operator; its data is retained when it is deleted"
        );
        released += 1;
    }
    Ok(released)
}
