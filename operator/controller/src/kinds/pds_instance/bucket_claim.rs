//! Claims of buckets: made before the bucket, and freed when bucket and user are gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::runtime::reflector::ObjectRef;
use operator_api::{PdsBucketClaim, PdsBucketClaimSpec, PdsInstance, Provisioner};
use operator_runtime::carry_out::{Cause, Failure, words};

use super::bucket;
use super::component::bucket_limit::claim_name;
use super::wanted::in_bucket;
use crate::context::Ctx;
use crate::guarded::Instances;

/// For how long a change of a claim may take to arrive by the watch.
const SIGHT: Duration = Duration::from_secs(5);

/// The claims that count for a namespace and a class.
pub(super) fn of(ctx: &Ctx, namespace: &str, class: &str) -> Vec<Arc<PdsBucketClaim>> {
    ctx.bucket_claims.state_filter(|claim| claim.spec.owner.namespace == namespace && claim.spec.class_name == class)
}

/// Claims a bucket. With a limit, the claims of a namespace are made one after the other, and each waits until the watch has shown it: two instances
/// that ask at the same time are counted both. A full namespace gets no claim; the next reconciliation says so. What one namespace claims changes
/// nothing for another, so none waits for another.
pub(super) async fn claim(ctx: &Ctx, spec: &PdsBucketClaimSpec, limit: Option<usize>) -> Result<(), Failure> {
    let Some(limit) = limit else { return write(ctx, spec).await };
    let _turn = ctx.claiming_buckets.take(&spec.owner.namespace).await;
    if of(ctx, &spec.owner.namespace, &spec.class_name).len() >= limit {
        return Ok(());
    }
    write(ctx, spec).await?;
    let name = claim_name(spec);
    if shows(ctx, &name, |seen| seen.is_some()).await {
        return Ok(());
    }
    let why = "is made, and the watch of the API server has not shown it yet".to_owned();
    Err(Failure { object: format!("PdsBucketClaim {name}"), cause: Cause::Unavailable, message: why })
}

/// Waits until the watch has shown a state of a claim, for [`SIGHT`] at most. Returns whether it has.
async fn shows(ctx: &Ctx, name: &str, state: impl Fn(Option<&PdsBucketClaim>) -> bool) -> bool {
    let began = Instant::now();
    while !state(ctx.bucket_claims.get(&ObjectRef::new(name)).as_deref()) {
        if began.elapsed() > SIGHT {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

async fn write(ctx: &Ctx, spec: &PdsBucketClaimSpec) -> Result<(), Failure> {
    let api = Api::<PdsBucketClaim>::all(ctx.client.clone());
    let claim = PdsBucketClaim::new(&claim_name(spec), spec.clone());
    match api.create(&PostParams::default(), &claim).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(Failure::of(format!("PdsBucketClaim {}", claim.name_any()), &error)),
        Ok(_) => {
            ctx.pages.metrics.wrote("PdsBucketClaim", "create");
            Ok(())
        }
    }
}

/// Frees the claims of an instance whose bucket was deleted. One whose bucket or user is still there stays.
///
/// # Errors
/// The reason for which the object store did not say whether the bucket is left, for a condition.
pub(super) async fn release(ctx: &Ctx, namespace: &str, name: &str) -> Result<(), String> {
    let is_own = |claim: &PdsBucketClaim| {
        let owner = &claim.spec.owner;
        owner.namespace == namespace && owner.name == name
    };
    for claim in ctx.bucket_claims.state_filter(is_own) {
        if !is_left(ctx, &claim).await? {
            free(ctx, &claim).await.map_err(|error| words(&error))?;
        }
    }
    Ok(())
}

/// Frees the claims that no instance asks for and whose bucket and user are gone: those of an instance that ended before its bucket was made,
/// and those of buckets that somebody deleted at the object store.
pub async fn free_gone(ctx: &Ctx) {
    let mut silent = BTreeSet::new();
    for claim in ctx.bucket_claims.state() {
        let (owner, class) = (&claim.spec.owner, &claim.spec.class_name);
        if !ctx.options.scope().includes(&owner.namespace) || silent.contains(class) {
            continue;
        }
        // A reconciliation makes the bucket of a claim that it sees, so none of this instance runs between the look and the end of the claim.
        let Some(_hold) = ctx.places.hold(&owner.namespace, &owner.name) else { continue };
        if is_asked_for(&ctx.instances, &claim) {
            continue;
        }
        let freed = match is_left(ctx, &claim).await {
            Ok(true) => continue,
            // Somebody may ask for it since.
            Ok(false) if is_asked_for(&ctx.instances, &claim) => continue,
            Ok(false) => free(ctx, &claim).await.map_err(|error| words(&error)),
            Err(why) => {
                // One look at a service that does not answer is enough.
                silent.insert(class.clone());
                Err(why)
            }
        };
        match freed {
            Ok(()) => {
                shows(ctx, &claim.name_any(), |seen| seen.is_none_or(|seen| seen.uid() != claim.uid())).await;
                tracing::info!("bucket {} of namespace {} is gone", claim.spec.bucket, owner.namespace);
            }
            Err(why) => tracing::debug!("PdsBucketClaim {} was not looked at: {why}", claim.name_any()),
        }
    }
}

/// Whether the instance of a claim exists and may use the bucket. One that cannot be read may.
fn is_asked_for(instances: &Instances, claim: &PdsBucketClaim) -> bool {
    let owner = &claim.spec.owner;
    let Some(found) = instances.get(&ObjectRef::new(&owner.name).within(&owner.namespace)) else { return false };
    let Ok(pds) = &found.0 else { return true };
    let resolved = |pds: &PdsInstance| pds.status.as_ref().and_then(|status| status.resolved.clone()?.bucket);
    in_bucket(pds) && resolved(pds).is_none_or(|bucket| bucket == claim.spec.bucket)
}

/// Whether the bucket or the user of a claim exists. Of a class that this installation does not serve nothing is known.
async fn is_left(ctx: &Ctx, claim: &PdsBucketClaim) -> Result<bool, String> {
    let spec = &claim.spec;
    let class = ctx.classes.get(&ObjectRef::new(&spec.class_name));
    if !class.is_some_and(|class| ctx.options.serves(&class)) {
        return Ok(true);
    }
    let store = bucket::store(ctx, &spec.class_name, spec.endpoint.as_ref());
    let Some(store) = store.filter(|store| store.class.provisioner != Provisioner::Given) else { return Ok(true) };
    let (provisioner, _) = bucket::provisioner(ctx, &store).await.map_err(|verdict| verdict.message)?;
    let left = provisioner.is_left(&spec.bucket, &spec.user, &spec.owner.namespace).await;
    left.map_err(|error| error.to_string())
}

async fn free(ctx: &Ctx, claim: &PdsBucketClaim) -> kube::Result<()> {
    let preconditions = Preconditions { uid: claim.uid(), ..Preconditions::default() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match Api::<PdsBucketClaim>::all(ctx.client.clone()).delete(&claim.name_any(), &parameters).await {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => other.map(drop),
    }
}
