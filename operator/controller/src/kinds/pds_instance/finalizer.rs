//! The finalizer: on an instance only while data is to be deleted with it.

use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams};
use operator_api::{PdsClass, PdsInstance};
use operator_runtime::tolerant::{Single, Tolerant};
use serde_json::json;

use super::wanted::Deletes;
use crate::context::Ctx;
use crate::options::{CONTROLLER_NAME, Options};

/// Keeps an instance until its data is deleted.
pub const FINALIZER: &str = "auroralocus.dev/data";

/// Instances that [`release`] lists at once. Each has up to 1.5 MB.
const PAGE: u32 = 10;

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

/// Sets or removes the finalizer. What a watch showed may be old by now, so the instance is read again. A removal names the finalizer alone, so whoever
/// keeps writing to the instance does not keep it there.
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
        let place = live.finalizers().iter().position(|name| name == FINALIZER);
        if place.is_some() == wanted {
            return Ok(());
        }
        let patched = match place {
            Some(place) => {
                let path = format!("/metadata/finalizers/{place}");
                let patch = json!([
                    {"op": "test", "path": "/metadata/uid", "value": uid},
                    {"op": "test", "path": path, "value": FINALIZER},
                    {"op": "remove", "path": path},
                ]);
                let patch = serde_json::from_value(patch).map_err(kube::Error::SerdeError)?;
                api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await
            }
            None => {
                let finalizers = [live.finalizers(), &[FINALIZER.into()]].concat();
                let patch = json!({"metadata": {"resourceVersion": live.resource_version(), "finalizers": finalizers}});
                api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
            }
        };
        match patched {
            // 422: another finalizer went meanwhile, and ours is at another place.
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) && tries < TRIES => {}
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
/// What the API server answers: to a list, or to the first of the instances that could not be changed. All others were.
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
    let waits = |pds: &DynamicObject| pds.finalizers().iter().any(|name| name == FINALIZER);
    let mut waiting = Vec::new();
    for namespace in options.scope().watches() {
        let api: Api<Single<DynamicObject>> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        };
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = api.list(&page).await?;
            let found = list.items.into_iter().filter_map(|found| found.0.ok());
            let found = found.filter(|pds| waits(pds) && is_served(pds));
            waiting.extend(found.map(|pds| (pds.namespace().unwrap_or_default(), pds.name_any(), pds.uid())));
            let Some(token) = list.metadata.continue_.filter(|token| !token.is_empty()) else { break };
            page = page.continue_token(&token);
        }
    }
    let (mut released, mut failed) = (0, None);
    for (namespace, name, uid) in waiting {
        let uid = uid.unwrap_or_default();
        if let Err(error) = change_finalizer(client.clone(), &namespace, &name, &uid, false).await {
            tracing::error!("PdsInstance {namespace}/{name} still waits for the operator: {error}");
            failed.get_or_insert(error);
            continue;
        }
        tracing::info!(
            "PdsInstance {namespace}/{name} no longer waits for the operator; its data is retained when it is deleted"
        );
        released += 1;
    }
    failed.map_or(Ok(released), Err)
}
