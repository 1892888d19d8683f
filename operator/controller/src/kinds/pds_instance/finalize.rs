//! The end of an instance: data stays unless its policy says otherwise. Without such a policy there is no finalizer, and the end of the
//! instance, of its namespace and of the operator do not wait for each other.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use operator_api::{PdsHostnameClaim, PdsInstance, Provisioner, Reason};
use operator_object_store::{Deleted, Owner as BucketOwner, Request};
use operator_runtime::carry_out::{Condemned, Failure, MANAGER, Write, Writer, words};
use operator_runtime::condition;
use operator_runtime::object::Object;
use operator_runtime::ownership::{Belongs, Lifetime, Owner};
use operator_runtime::tolerant::SingleMeta;
use serde_json::json;

use super::component::{blobs, database, hostname, keys, name};
use super::finalizer::{FINALIZER, change_finalizer};
use super::wanted::{Deletes, Store, in_bucket};
use super::{bucket, bucket_claim, claim, conditions};
use crate::context::Ctx;

/// An error while the data of a deleted instance is removed. The deletion is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server does not do what was asked. Its words.
    #[error("{0}")]
    Api(String),
    /// An object could not be deleted.
    #[error(transparent)]
    Write(#[from] Failure),
    /// The bucket could not be deleted.
    #[error("{0}")]
    Bucket(String),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(words(&error))
    }
}

/// Result of one attempt to delete the data of an instance.
pub(super) enum Progress {
    /// All data that the policy names is deleted, and the finalizer is removed.
    Done,
    /// The bucket has more objects.
    InPart,
    /// An object that uses what is to be deleted is not gone yet.
    Waiting(String),
}

/// What has to be known of an instance to end it; also of one that this version cannot read.
#[derive(Clone, Debug)]
pub(super) struct End {
    name: String,
    uid: String,
    owner: Owner,
    about: ObjectReference,
    has_finalizer: bool,
    deletes: Deletes,
    in_bucket: bool,
    bucket: Option<String>,
    endpoint: Option<String>,
    given_bucket: Option<String>,
    class: Option<String>,
}

impl End {
    /// Of an instance.
    pub(super) fn of(pds: &PdsInstance) -> Self {
        let resolved = pds.status.as_ref().and_then(|status| status.resolved.clone()).unwrap_or_default();
        let class = pds.spec.class_name.clone().or_else(|| pds.status.as_ref()?.class_name.clone());
        Self {
            name: pds.name_any(),
            uid: pds.uid().unwrap_or_default(),
            owner: Owner {
                reference: pds.controller_owner_ref(&()).unwrap_or_default(),
                namespace: pds.namespace().unwrap_or_default(),
            },
            about: pds.object_ref(&()),
            has_finalizer: pds.finalizers().iter().any(|name| name == FINALIZER),
            deletes: Deletes::of(pds.spec.deletion_policy.as_ref()),
            in_bucket: in_bucket(pds),
            bucket: resolved.bucket,
            endpoint: resolved.object_store_endpoint,
            given_bucket: pds.spec.blob_store.as_ref().and_then(|blobs| blobs.s3.as_ref()?.bucket.clone()),
            class,
        }
    }

    /// Of an instance that this version cannot read.
    pub(super) fn of_raw(object: &DynamicObject) -> Self {
        let text = |path: &str| object.data.pointer(path).and_then(|value| value.as_str()).map(ToOwned::to_owned);
        let delete = |what: &str| text(&format!("/spec/deletionPolicy/{what}")).as_deref() == Some("Delete");
        let uid = object.uid().unwrap_or_default();
        let reference = OwnerReference {
            api_version: PdsInstance::api_version(&()).into(),
            kind: PdsInstance::kind(&()).into(),
            name: object.name_any(),
            uid: uid.clone(),
            controller: Some(true),
            ..Default::default()
        };
        let resource = ApiResource::erase::<PdsInstance>(&());
        Self {
            name: object.name_any(),
            uid,
            owner: Owner { reference, namespace: object.namespace().unwrap_or_default() },
            about: object.object_ref(&resource),
            has_finalizer: object.finalizers().iter().any(|name| name == FINALIZER),
            deletes: Deletes { database: delete("database"), blobs: delete("blobs"), keys: delete("keys") },
            in_bucket: object.data.pointer("/spec/blobStore/disk").is_none()
                && (object.data.pointer("/spec/blobStore").is_some()
                    || object.data.pointer("/spec/database/sqlite").is_none()),
            bucket: text("/status/resolved/bucket"),
            endpoint: text("/status/resolved/objectStoreEndpoint"),
            given_bucket: text("/spec/blobStore/s3/bucket"),
            class: text("/spec/className").or_else(|| text("/status/className")),
        }
    }
}

/// Deletes what the policy says, then lets the instance go; the API server's collector takes its children.
pub(super) async fn finalize(ctx: &Ctx, end: &End) -> Result<Progress, Error> {
    let namespace = end.owner.namespace.as_str();
    if !end.has_finalizer {
        ctx.forget(namespace, &end.name, &end.uid);
        return Ok(Progress::Done);
    }
    let mut progress = delete_data(ctx, end).await;
    if matches!(progress, Ok(Progress::Done)) {
        let removed = change_finalizer(&ctx.client, &ctx.fetching, namespace, &end.name, &end.uid, false).await;
        progress = removed.map(|()| Progress::Done).map_err(Error::from);
    }
    match &progress {
        Ok(Progress::Done) => ctx.forget(namespace, &end.name, &end.uid),
        Ok(Progress::InPart) => {}
        Ok(Progress::Waiting(object)) => {
            let why = format!("the instance ends once {object} is gone; if it stays, look at its metadata.finalizers");
            tell(ctx, end, Reason::BeingDeleted, &why).await?;
        }
        Err(error) => {
            let why = condition::one_line(&error.to_string());
            if tell(ctx, end, Reason::CleanupFailed, &why).await? {
                ctx.events.warning(&end.about, Reason::CleanupFailed.as_str(), &why).await;
            }
        }
    }
    progress
}

/// Reports why an instance cannot end yet, without reading the rest of it. True if that is news.
async fn tell(ctx: &Ctx, end: &End, reason: Reason, why: &str) -> kube::Result<bool> {
    let reason = reason.as_str();
    conditions::merge_conditions(
        ctx,
        &end.owner.namespace,
        &end.name,
        &[("Ready", false, reason, why), ("Reconciling", true, reason, why)],
    )
    .await
}

async fn delete_data(ctx: &Ctx, end: &End) -> Result<Progress, Error> {
    let deletes = end.deletes;
    if !deletes.any() {
        return Ok(Progress::Done);
    }
    let name = end.name.as_str();
    // First the pods: nothing may write into what is being deleted. PostgreSQL after those who hold sessions with it, or they would wait
    // for it until their time is up.
    if let Some(object) = stop::<Deployment>(ctx, end, name).await? {
        return Ok(Progress::Waiting(object));
    }
    if deletes.database
        && let Some(object) = stop::<StatefulSet>(ctx, end, &name::postgres(name)).await?
    {
        return Ok(Progress::Waiting(object));
    }
    if deletes.blobs {
        if !delete_bucket(ctx, end).await? {
            return Ok(Progress::InPart);
        }
        bucket_claim::release(ctx, &end.owner.namespace, name).await.map_err(Error::Bucket)?;
        delete::<Secret>(ctx, end, &blobs::secret_name(name)).await?;
        forget_note(ctx, end, keys::BUCKET).await?;
    }
    if deletes.database {
        for volume in [database::volume_name(name), name::sqlite_volume(name)] {
            delete::<PersistentVolumeClaim>(ctx, end, &volume).await?;
        }
        delete::<Secret>(ctx, end, &name::postgres(name)).await?;
        forget_note(ctx, end, keys::POSTGRES_MAJOR).await?;
    }
    if deletes.keys {
        delete::<Secret>(ctx, end, &keys::secret_name(name)).await?;
        free_domains(ctx, end).await?;
    }
    Ok(Progress::Done)
}

/// Deletes the bucket if its marker has the fingerprint of this instance, also if the status does not name the bucket.
/// True once it is gone; a large one takes several calls, so that others have their turn.
async fn delete_bucket(ctx: &Ctx, end: &End) -> Result<bool, Error> {
    if !end.in_bucket {
        return Ok(true);
    }
    let Some((class, store)) = store(ctx, end) else {
        return match &end.bucket {
            // Without a class none was made, unless there was one before.
            None => Ok(true),
            Some(bucket) => Err(Error::Bucket(format!(
                "bucket {bucket} cannot be deleted: its PdsClass with the object store is gone; bring it back, or set \
                 spec.deletionPolicy.blobs to Retain"
            ))),
        };
    };
    if store.class.provisioner == Provisioner::Given {
        return Ok(true);
    }
    let content = ctx.secrets.get(&end.owner.namespace, &keys::secret_name(&end.name), &keys::KEYS).await?;
    let Some(fingerprint) = content.as_deref().and_then(|content| keys::fingerprint(content).ok()) else {
        let Some(bucket) = &end.bucket else { return Ok(true) };
        // A process that ended after the keys were deleted had deleted the bucket before.
        if let Ok((provisioner, _)) = bucket::provisioner(ctx, &store).await
            && matches!(provisioner.owner(bucket).await, Ok(None))
        {
            return Ok(true);
        }
        return Err(Error::Bucket(format!(
            "bucket {bucket} cannot be deleted: Secret {} with the keys that prove whose it is is gone; restore the Secret, or set \
             spec.deletionPolicy.blobs to Retain",
            keys::secret_name(&end.name)
        )));
    };
    let owner = BucketOwner {
        cluster: ctx.cluster.clone(),
        namespace: end.owner.namespace.clone(),
        name: end.name.clone(),
        fingerprint,
    };
    let request = Request {
        owner,
        prefix: store.class.bucket_prefix.clone(),
        bucket: end.bucket.clone().or_else(|| end.given_bucket.clone()),
        is_in_use: true,
        seed: ctx.seed.clone(),
        service_account: Some(name::service_account_subject(&end.owner.namespace, &end.name)),
    };
    let bucket = request.bucket();
    let failed = |why: String| {
        let retain = "the operator tries again; set spec.deletionPolicy.blobs to Retain to end without it";
        Error::Bucket(format!("bucket {bucket} of PdsClass {class} cannot be deleted: {why}; {retain}"))
    };
    let (provisioner, _) = bucket::provisioner(ctx, &store).await.map_err(|verdict| failed(verdict.message))?;
    match provisioner.delete(&request).await.map_err(|error| failed(error.to_string()))? {
        Deleted::LeftAlone(_) => {
            tracing::info!("bucket {bucket} is not of PdsInstance {}/{} and stays", end.owner.namespace, end.name);
            Ok(true)
        }
        Deleted::InPart => Ok(false),
        Deleted::Bucket | Deleted::NoBucket => Ok(true),
    }
}

fn store(ctx: &Ctx, end: &End) -> Option<(String, Store)> {
    let class = end.class.as_deref()?;
    Some((class.to_owned(), bucket::store(ctx, class, end.endpoint.as_ref())?))
}

async fn free_domains(ctx: &Ctx, end: &End) -> kube::Result<()> {
    let is_own = |claim: &PdsHostnameClaim| hostname::is_held_by(claim, &end.owner.namespace, &end.name);
    for claim in ctx.claims.state_filter(is_own) {
        claim::free(ctx, &claim).await?;
    }
    Ok(())
}

/// Removes an annotation from `NAME-keys` after the data that the annotation describes was deleted.
async fn forget_note(ctx: &Ctx, end: &End, annotation: &str) -> kube::Result<()> {
    let name = keys::secret_name(&end.name);
    let api = Api::<SingleMeta<Secret>>::namespaced(ctx.client.clone(), &end.owner.namespace);
    let Some(live) = api.get_opt(&name).await? else { return Ok(()) };
    let is_noted = live.annotations().contains_key(annotation);
    if !is_noted || end.owner.judge(live.meta(), Lifetime::Data) != Belongs::Ours {
        return Ok(());
    }
    let patch = json!({"metadata": {"uid": live.uid(), "annotations": {annotation: null}}});
    let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    api.patch(&name, &parameters, &Patch::Merge(patch)).await?;
    ctx.secrets.forget(&end.owner.namespace, &name);
    Ok(())
}

fn writer<'a>(ctx: &'a Ctx, end: &'a End) -> Writer<'a> {
    Writer { client: &ctx.client, owner: &end.owner, metrics: &ctx.pages.metrics }
}

/// Deletes a workload of the instance with its pods, also one that a deletion with the policy `Orphan` took the owner from. Nothing once it is
/// gone, otherwise its kind and name.
async fn stop<K: Object>(ctx: &Ctx, end: &End, name: &str) -> Result<Option<String>, Error> {
    let api = Api::<SingleMeta<K>>::namespaced(ctx.client.clone(), &end.owner.namespace);
    let Some(live) = api.get_opt(name).await? else { return Ok(None) };
    if end.owner.judge(live.meta(), Lifetime::Instance) != Belongs::Ours {
        return Ok(None);
    }
    if live.meta().deletion_timestamp.is_none() {
        condemn::<K>(ctx, end, name, live.uid(), Lifetime::Instance, true).await?;
    }
    Ok(Some(format!("{} {name}", K::KIND)))
}

/// Deletes data of the instance. What it did not make stays.
async fn delete<K: Object>(ctx: &Ctx, end: &End, name: &str) -> Result<(), Error> {
    let api = Api::<SingleMeta<K>>::namespaced(ctx.client.clone(), &end.owner.namespace);
    let Some(live) = api.get_opt(name).await? else { return Ok(()) };
    if end.owner.judge(live.meta(), Lifetime::Data) != Belongs::Ours {
        return Ok(());
    }
    condemn::<K>(ctx, end, name, live.uid(), Lifetime::Data, false).await
}

async fn condemn<K: Object>(
    ctx: &Ctx,
    end: &End,
    name: &str,
    uid: Option<String>,
    lifetime: Lifetime,
    foreground: bool,
) -> Result<(), Error> {
    let resource = ApiResource::erase::<K>(&());
    let condemned = Condemned { resource, name: name.to_owned(), uid: uid.unwrap_or_default(), lifetime, foreground };
    writer(ctx, end).carry_out(&Write::Delete(condemned)).await?;
    ctx.secrets.forget(&end.owner.namespace, name);
    Ok(())
}
