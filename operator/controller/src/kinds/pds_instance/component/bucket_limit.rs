//! How many buckets a namespace may have, and which count. Pure.
//!
//! A bucket outlives its instance, and so does its user. Each has a `PdsBucketClaim` for as long as it exists, which no tenant can delete. What
//! an instance uses already is never refused.

use data_encoding::BASE32_DNSSEC;
use kube::ResourceExt;
use operator_api::{ClaimOwner, PdsBucketClaimSpec, PdsClass, Reason};
use operator_object_store::Request;
use sha2::{Digest, Sha256};

use super::super::step::Step;
use super::super::verdict::Verdict;
use super::super::wanted::Store;
use super::part::Scene;

/// Buckets that a namespace may have where its class says nothing.
pub const USUAL: usize = 32;
/// Most names of buckets that a message tells.
const TOLD: usize = 5;

/// The name of a claim. A hash, because the parts together can be longer than a name.
#[must_use]
pub fn claim_name(spec: &PdsBucketClaimSpec) -> String {
    // None of the parts has a slash.
    let text = format!("{}/{}/{}", spec.class_name, spec.owner.namespace, spec.bucket);
    BASE32_DNSSEC.encode(&Sha256::digest(text.as_bytes()))
}

/// How many buckets of a class a namespace may have.
#[must_use]
pub fn limit(class: &PdsClass) -> usize {
    let limit = class.spec.limits.as_ref().and_then(|limits| limits.buckets_per_namespace);
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL)
}

/// Whether an instance may have its bucket.
pub(super) enum Place {
    /// The bucket is claimed.
    Held,
    /// It is in use and its claim is missing: the claim is made beside everything else.
    InUse(Step),
    /// It has to be claimed first.
    Free(Step),
    /// The namespace has as many buckets as it may have.
    Full(Verdict),
}

pub(super) fn place(scene: &Scene<'_>, bucket: &str, request: &Request, store: &Store) -> Place {
    let (wanted, claims) = (scene.wanted, &scene.observed.bucket_claims);
    if claims.iter().any(|claim| claim.spec.bucket == bucket) {
        return Place::Held;
    }
    let claim = PdsBucketClaimSpec {
        bucket: bucket.to_owned(),
        user: request.user(),
        class_name: wanted.class.name_any(),
        endpoint: store.class.endpoint.clone(),
        owner: ClaimOwner {
            namespace: wanted.namespace().to_owned(),
            name: wanted.instance.clone(),
            uid: wanted.owner.reference.uid.clone(),
        },
    };
    // By the status alone, which no tenant writes.
    let resolved = scene.pds.status.as_ref().and_then(|status| status.resolved.as_ref()?.bucket.as_deref());
    let claim = Box::new(claim);
    if resolved == Some(bucket) {
        return Place::InUse(Step::ClaimBucket { claim, limit: None });
    }
    let limit = limit(&wanted.class);
    if claims.len() < limit {
        return Place::Free(Step::ClaimBucket { claim, limit: Some(limit) });
    }
    let mut names: Vec<_> = claims.iter().map(|claim| claim.spec.bucket.as_str()).collect();
    names.sort_unstable();
    let more = if names.len() > TOLD { ", ..." } else { "" };
    names.truncate(TOLD);
    let message = format!(
        "PdsClass {:?} allows {limit} buckets for namespace {} (spec.limits.bucketsPerNamespace), and it has {}: {}{more}; buckets of \
         deleted instances count until somebody deletes them: delete instances with spec.deletionPolicy.blobs: Delete, or ask whoever owns \
         the class",
        wanted.class.name_any(),
        wanted.namespace(),
        claims.len(),
        names.join(", ")
    );
    Place::Full(Verdict::bad(Reason::LimitExceeded, message))
}
