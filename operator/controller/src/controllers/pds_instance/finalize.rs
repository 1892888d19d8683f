//! The end of an instance: data stays unless its policy says otherwise.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use serde_json::json;

use super::names::Names;
use super::observe::{self, ClassFound};
use super::reason::Reason;
use super::{secrets, status, validate};
use crate::context::Ctx;
use crate::k8s::apply::{Object, delete_exactly, ignore_absent};
use crate::provision::{self, of_class};

/// Keeps an instance until its data is dealt with.
pub(super) const FINALIZER: &str = "auroralocus.dev/data";

/// What fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// The class cannot help any more.
    #[error(
        "bucket {bucket} cannot be deleted: its PdsClass has no S3 credential any more; \
         bring it back, or set spec.deletionPolicy.blobs to Retain"
    )]
    NoCredential {
        /// The bucket.
        bucket: String,
    },
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
    let finalizers = pds.finalizers().iter().cloned().chain([FINALIZER.into()]).collect();
    patch_finalizers(ctx, pds, finalizers).await
}

/// Fails with a conflict if the instance changed since it was read.
async fn patch_finalizers(ctx: &Ctx, pds: &PdsInstance, finalizers: Vec<String>) -> kube::Result<()> {
    let api = Api::<PdsInstance>::namespaced(ctx.client.clone(), &pds.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"resourceVersion": pds.resource_version(), "finalizers": finalizers}});
    api.patch(&pds.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

/// Takes the finalizer away. What the watch showed may be old by now, so it is read again until nobody wrote between.
async fn let_go(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<()> {
    let api = Api::<PdsInstance>::namespaced(ctx.client.clone(), &pds.namespace().unwrap_or_default());
    loop {
        let Some(live) = api.get_opt(&pds.name_any()).await?.filter(|live| live.uid() == pds.uid()) else {
            return Ok(());
        };
        let left = live.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
        match patch_finalizers(ctx, &live, left).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            other => return ignore_absent(other),
        }
    }
}

/// Deletes what the policy says, then lets the instance go; the API server's collector takes its children.
pub(super) async fn finalize(ctx: &Ctx, pds: &PdsInstance) -> Result<Progress, Error> {
    let uid = pds.uid().unwrap_or_default();
    if !pds.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        ctx.forget(&uid);
        return Ok(Progress::Done);
    }
    let progress = delete_data(ctx, pds).await;
    match &progress {
        Ok(Progress::Done) => {
            let_go(ctx, pds).await?;
            ctx.forget(&uid);
        }
        Ok(Progress::Waiting) => {}
        Err(error) => {
            let why = chain(error);
            let event = Event {
                type_: EventType::Warning,
                reason: Reason::CleanupFailed.as_str().into(),
                note: Some(why.clone()),
                action: "Delete".into(),
                secondary: None,
            };
            if let Err(error) = ctx.recorder.publish(&event, &pds.object_ref(&())).await {
                tracing::debug!(%error, "an Event was not written");
            }
            status::stuck(ctx, pds, &why).await?;
        }
    }
    progress
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

async fn delete_data(ctx: &Ctx, pds: &PdsInstance) -> Result<Progress, Error> {
    let (database, blobs, keys) = validate::deletes(pds.spec.deletion_policy.as_ref());
    if !(database || blobs || keys) {
        return Ok(Progress::Done);
    }
    let names = Names(pds.name_any());
    // First the pods: nothing may write into what is being deleted. PostgreSQL after those who hold sessions with it,
    // or they would wait for it until their time is up.
    if !stop::<Deployment>(ctx, pds, &names.0).await? {
        return Ok(Progress::Waiting);
    }
    if database && !stop::<StatefulSet>(ctx, pds, &names.postgres()).await? {
        return Ok(Progress::Waiting);
    }
    if blobs {
        delete_bucket(ctx, pds).await?;
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

/// Also a bucket that never came to be in use: its owner's tag tells whether it is there and ours.
async fn delete_bucket(ctx: &Ctx, pds: &PdsInstance) -> Result<(), Error> {
    if !observe::in_bucket(pds) {
        return Ok(());
    }
    let observed = observe::observe(ctx, pds).await?;
    let used = pds.status.as_ref().and_then(|status| status.blob_store.as_ref()?.bucket.clone());
    let admin = observed.s3_admin.as_ref().and_then(secrets::credential);
    let s3 = if let ClassFound::Found(class) = &observed.class { class.spec.s3.as_ref() } else { None };
    let (Some(s3), Some(admin)) = (s3, admin) else {
        // Without a class or its credential none was made, unless there was one before.
        return used.map_or(Ok(()), |bucket| Err(Error::NoCredential { bucket }));
    };
    let (wanted, owner) = validate::bucket(pds, &observed.namespace_uid);
    of_class(s3, admin).delete(&used.unwrap_or(wanted), &owner).await.map_err(Error::from)
}

/// Deletes a workload of the instance with its pods; true once it is gone.
async fn stop<K: Object>(ctx: &Ctx, pds: &PdsInstance, name: &str) -> Result<bool, Error> {
    let api = Api::<K>::namespaced(ctx.client.clone(), &pds.namespace().unwrap_or_default());
    let Some(live) = api.get_opt(name).await? else { return Ok(true) };
    let uid = pds.uid().unwrap_or_default();
    if !live.owner_references().iter().any(|owner| owner.uid == uid) {
        return Ok(true);
    }
    if live.meta().deletion_timestamp.is_none() {
        let preconditions = Some(Preconditions { uid: live.uid(), ..Default::default() });
        let foreground = DeleteParams { preconditions, ..DeleteParams::foreground() };
        ignore_absent(api.delete(name, &foreground).await.map(drop))?;
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
