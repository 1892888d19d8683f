//! The end of an instance: data stays unless its policy says otherwise.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use serde_json::json;

use super::names::Names;
use super::observe::{self, ClassFound, Observed};
use super::reason::Reason;
use super::{secrets, validate};
use crate::context::Ctx;
use crate::k8s::apply::{Object, delete_exactly};
use crate::provision::{self, of_class};

/// Keeps an instance until its data is dealt with.
pub(super) const FINALIZER: &str = "auroralocus.dev/data";

/// What fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// The S3 service.
    #[error("delete the bucket")]
    Bucket(#[from] provision::Error),
}

/// How far it came.
pub(super) enum Progress {
    /// The instance is free to go.
    Done,
    /// Pods still use what is to be deleted.
    Waiting,
}

/// Adds the finalizer, if it is not there.
pub(super) async fn ensure_finalizer(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<()> {
    if pds.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(());
    }
    let mut finalizers = pds.finalizers().to_vec();
    finalizers.push(FINALIZER.into());
    patch_finalizers(ctx, pds, &finalizers).await
}

/// Fails with a conflict if the instance changed since it was read.
async fn patch_finalizers(ctx: &Ctx, pds: &PdsInstance, finalizers: &[String]) -> kube::Result<()> {
    let api = Api::<PdsInstance>::namespaced(ctx.client.clone(), &pds.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"resourceVersion": pds.resource_version(), "finalizers": finalizers}});
    api.patch(&pds.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

/// Deletes what the policy says, then lets the instance go; the API server's collector takes its children.
pub(super) async fn finalize(ctx: &Ctx, pds: &PdsInstance) -> Result<Progress, Error> {
    let uid = pds.uid().unwrap_or_default();
    if !pds.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        ctx.backoff.reset(&uid);
        ctx.accounts.forget(&uid);
        return Ok(Progress::Done);
    }
    let progress = delete_data(ctx, pds).await;
    match &progress {
        Ok(Progress::Done) => {
            let left: Vec<_> = pds.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
            patch_finalizers(ctx, pds, &left).await?;
        }
        Ok(Progress::Waiting) => {}
        Err(error) => {
            let event = Event {
                type_: EventType::Warning,
                reason: Reason::CleanupFailed.as_str().into(),
                note: Some(error.to_string()),
                action: "Delete".into(),
                secondary: None,
            };
            if let Err(error) = ctx.recorder.publish(&event, &pds.object_ref(&())).await {
                tracing::debug!(%error, "an Event was not written");
            }
        }
    }
    progress
}

async fn delete_data(ctx: &Ctx, pds: &PdsInstance) -> Result<Progress, Error> {
    let (database, blobs, keys) = validate::deletes(pds.spec.deletion_policy.as_ref());
    if !(database || blobs || keys) {
        return Ok(Progress::Done);
    }
    let names = Names(pds.name_any());
    // First the pods: nothing may write into what is being deleted.
    let mut gone = stop::<Deployment>(ctx, pds, &names.0).await?;
    if database {
        gone &= stop::<StatefulSet>(ctx, pds, &names.postgres()).await?;
    }
    if !gone {
        return Ok(Progress::Waiting);
    }
    let observed = observe::observe(ctx, pds).await?;
    if blobs {
        delete_bucket(pds, &observed).await?;
        delete::<Secret>(ctx, pds, &names.s3()).await?;
    }
    if database {
        for volume in [names.postgres_volume(), names.sqlite_volume()] {
            delete::<PersistentVolumeClaim>(ctx, pds, &volume).await?;
        }
        delete::<Secret>(ctx, pds, &names.postgres()).await?;
    }
    if keys {
        delete::<Secret>(ctx, pds, &names.keys()).await?;
    }
    Ok(Progress::Done)
}

async fn delete_bucket(pds: &PdsInstance, observed: &Observed) -> Result<(), Error> {
    let bucket = pds.status.as_ref().and_then(|status| status.blob_store.as_ref()?.bucket.clone());
    let (Some(bucket), ClassFound::Found(class)) = (bucket, &observed.class) else { return Ok(()) };
    let admin = observed.s3_admin.as_ref().and_then(secrets::credential);
    let (Some(s3), Some(admin)) = (&class.spec.s3, admin) else {
        let message = "the class has no S3 credential any more".to_owned();
        return Err(provision::Error::Service { what: "delete the bucket", message }.into());
    };
    let owner = format!("{}/{}", observed.namespace_uid, pds.name_any());
    let credential = observed.s3_secret.as_ref().and_then(secrets::credential);
    of_class(s3, admin).delete(&bucket, &owner, credential.as_ref()).await.map_err(Error::from)
}

/// Deletes a workload of the instance with its pods; true once it is gone.
async fn stop<K: Object>(ctx: &Ctx, pds: &PdsInstance, name: &str) -> Result<bool, Error> {
    let api = Api::<K>::namespaced(ctx.client.clone(), &pds.namespace().unwrap_or_default());
    let Some(live) = api.get_opt(name).await? else { return Ok(true) };
    if live.meta().deletion_timestamp.is_none() {
        api.delete(name, &kube::api::DeleteParams::foreground()).await.map(drop)?;
    }
    Ok(false)
}

/// Deletes an object that carries the label of the instance.
async fn delete<K: Object>(ctx: &Ctx, pds: &PdsInstance, name: &str) -> Result<(), Error> {
    let api = Api::<K>::namespaced(ctx.client.clone(), &pds.namespace().unwrap_or_default());
    let Some(live) = api.get_opt(name).await? else { return Ok(()) };
    let ours = live.labels().get(crate::k8s::labels::INSTANCE) == Some(&pds.name_any());
    if ours && live.meta().deletion_timestamp.is_none() {
        delete_exactly(&api, &live).await?;
    }
    Ok(())
}
