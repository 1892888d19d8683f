//! Asks the object store of a class for buckets, and remembers what it answered.

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use operator_api::{PdsClass, PdsInstance, Provisioner as Kind, Reason};
use operator_object_store::{
    Aws, AwsSettings, Credential, Error as StoreError, Isolation, Provisioner, Request, Versitygw, WorkloadIdentity,
};
use operator_runtime::ownership::{Belongs, Lifetime};
use operator_runtime::secret::Content;
use secrecy::SecretString;

use super::component::blobs;
use super::observed::Seen;
use super::verdict::Verdict;
use super::wanted::{Store, Wanted};
use crate::context::Ctx;

fn credential(content: &Content) -> Option<Credential> {
    Some(Credential {
        access_key_id: content.text("accessKeyId")?.to_owned(),
        secret_access_key: SecretString::from(content.text("secretAccessKey")?),
    })
}

/// The object store of a class, at an endpoint that was in use if there is one.
pub(super) fn store(ctx: &Ctx, class: &str, endpoint: Option<&String>) -> Option<Store> {
    let class = ctx.classes.get(&ObjectRef::<PdsClass>::new(class))?;
    let mut store = class.spec.object_store.clone()?;
    if endpoint.is_some() {
        store.endpoint = endpoint.cloned();
    }
    Some(Store::of(&class, &store))
}

/// The provisioner of a store, with the administrator's credential as it is now.
pub(super) async fn provisioner(
    ctx: &Ctx,
    store: &Store,
) -> Result<(Box<dyn Provisioner>, Option<Arc<Content>>), Verdict> {
    let keys = ["accessKeyId", "secretAccessKey"];
    let admin =
        match &store.class.admin_secret_name {
            Some(name) => ctx.secrets.get(&ctx.options.namespace, name, &keys).await.map_err(|error| {
                Verdict::bad(Reason::ReconcileFailed, format!("Secret {name} cannot be read: {error}"))
            })?,
            None => None,
        };
    let keys = admin.as_deref().and_then(credential);
    let service = store.service.clone();
    let made: Result<Box<dyn Provisioner>, StoreError> = match store.class.provisioner {
        Kind::Versitygw => {
            let none =
                || Verdict::bad(Reason::CredentialsInvalid, "the object store has no administrator's credential");
            let isolation = match store.class.isolation {
                Some(operator_api::Isolation::Waived) => Isolation::Waived,
                Some(operator_api::Isolation::Required) | None => Isolation::Required,
            };
            Versitygw::new(service, keys.ok_or_else(none)?, isolation).map(|made| Box::new(made) as _)
        }
        Kind::Aws => {
            let aws = store.class.aws.clone().unwrap_or_default();
            let workload_identity = aws.workload_identity.map(|identity| WorkloadIdentity {
                oidc_provider_arn: identity.oidc_provider_arn,
                oidc_issuer: identity.issuer,
            });
            let settings = AwsSettings { service, iam_endpoint: aws.iam_endpoint, admin: keys, workload_identity };
            Aws::new(settings).await.map(|made| Box::new(made) as _)
        }
        Kind::Given => return Err(Verdict::bad(Reason::InvalidSpec, "the class makes no buckets")),
    };
    Ok((made.map_err(|error| verdict(&error))?, admin))
}

pub(super) async fn ensure_bucket(ctx: &Ctx, pds: &PdsInstance, wanted: &Wanted, store: &Store, request: &Request) {
    let (seen, admin) = match provisioner(ctx, store).await {
        Err(verdict) => (Seen::Failed(verdict), None),
        Ok((provisioner, admin)) => {
            let name = blobs::secret_name(&wanted.instance);
            let there = ctx.secrets.get(wanted.namespace(), &name, &["accessKeyId", "secretAccessKey"]).await;
            // Only the instance's own Secret says which key of its own user is in use; it is never a credential to act with.
            let own = |content: &&Arc<Content>| wanted.owner.judge(&content.metadata, Lifetime::Data) == Belongs::Ours;
            let kept = there.ok().flatten().as_ref().filter(own).and_then(|content| credential(content));
            let seen = match provisioner.ensure(request, kept.as_ref()).await {
                Ok(access) => Seen::Granted(access),
                Err(error) => Seen::Failed(verdict(&error)),
            };
            (seen, admin)
        }
    };
    remember(ctx, pds, blobs::question(request, store, admin.as_deref(), "ensure"), seen);
}

pub(super) async fn find_bucket(ctx: &Ctx, pds: &PdsInstance, store: &Store, request: &Request) {
    let (seen, admin) = match provisioner(ctx, store).await {
        Err(verdict) => (Seen::Failed(verdict), None),
        Ok((provisioner, admin)) => {
            let seen = match provisioner.owner(&request.bucket()).await {
                Ok(Some(Some(marker))) if marker.fingerprint == request.owner.fingerprint => Seen::Owned,
                Ok(_) => Seen::Elsewhere,
                Err(error) => Seen::Failed(verdict(&error)),
            };
            (seen, admin)
        }
    };
    remember(ctx, pds, blobs::question(request, store, admin.as_deref(), "find"), seen);
}

fn remember(ctx: &Ctx, pds: &PdsInstance, question: String, seen: Seen) {
    let uid = pds.uid().unwrap_or_default();
    ctx.buckets.put(&uid, (question, seen));
}

/// What an error of the object store means for the instance.
fn verdict(error: &StoreError) -> Verdict {
    let reason = match error {
        StoreError::NotOwned { .. } | StoreError::UserNotOwned { .. } => Reason::BucketNotOwned,
        StoreError::Missing { .. } => Reason::BucketMissing,
        StoreError::NotIsolated { .. } => Reason::BucketsNotIsolated,
        StoreError::Refused { .. } | StoreError::Invalid { .. } => Reason::CredentialsInvalid,
        StoreError::Unavailable { .. } => Reason::BlobStoreUnavailable,
    };
    Verdict::bad(reason, error.to_string())
}
