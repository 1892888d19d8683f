//! Volumes that hold a database.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;
use operator_api::Reason;
use operator_runtime::child::Reduce;
use operator_runtime::compare::is_more;
use operator_runtime::ownership::Lifetime;

use super::super::step::Step;
use super::super::verdict::Verdict;
use super::super::wanted::Claim;
use super::part::Scene;

/// What is kept of a claim. It has no owner, and whoever may write claims decides how large the rest is.
pub(crate) struct Essentials;

impl Reduce<PersistentVolumeClaim> for Essentials {
    fn reduce(claim: &mut PersistentVolumeClaim) {
        claim.spec = claim.spec.take().map(|spec| PersistentVolumeClaimSpec {
            access_modes: spec.access_modes,
            resources: spec.resources,
            storage_class_name: spec.storage_class_name,
            volume_name: spec.volume_name,
            ..Default::default()
        });
        claim.status = claim.status.take().map(|status| PersistentVolumeClaimStatus {
            capacity: status.capacity,
            conditions: status.conditions,
            phase: status.phase,
            ..Default::default()
        });
    }
}

/// What a claim for a volume says.
pub(super) fn spec(volume: &Claim) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOnce".into()]),
        resources: Some(VolumeResourceRequirements {
            requests: Some(BTreeMap::from([("storage".into(), Quantity(volume.size.clone()))])),
            ..Default::default()
        }),
        storage_class_name: volume.storage_class_name.clone(),
        ..Default::default()
    }
}

/// The size that a claim asks for.
#[must_use]
pub fn size(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    Some(requests.get("storage")?.0.clone())
}

/// The size that a volume has; what its claim asks for until it has one.
#[must_use]
pub fn capacity(claim: &PersistentVolumeClaim) -> Option<String> {
    let given = claim.status.as_ref().and_then(|status| status.capacity.as_ref()?.get("storage"));
    given.map(|given| given.0.clone()).or_else(|| size(claim))
}

/// What to do about a volume that exists: it grows where its storage class allows it, and a volume that somebody made larger by hand
/// is welcome. The second value is what the spec asks for in vain.
pub(super) fn follow(scene: &Scene<'_>) -> (Option<Step>, Option<Verdict>) {
    let (Some(wanted), Some(claim)) = (scene.wanted.database.volume(), &scene.observed.volume) else {
        return (None, None);
    };
    if claim.metadata.deletion_timestamp.is_some() {
        let title = format!("PersistentVolumeClaim {}", claim.name_any());
        return (None, Some(Verdict::being_deleted(&title, Lifetime::Data).bearable()));
    }
    let existing = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    if let (Some(wanted), Some(existing)) = (wanted.storage_class_name.as_deref(), existing)
        && wanted != existing
    {
        let message = format!("spec.database: storageClassName {wanted:?}; the volume exists with {existing:?}");
        return (None, Some(Verdict::bad(Reason::InvalidSpec, message)));
    }
    let Some(now) = size(claim).filter(|now| wanted.size_is_given && is_more(&wanted.size, now)) else {
        return (None, None);
    };
    if scene.wanted.volume_is_limited {
        return (None, None);
    }
    if !scene.observed.volume_can_grow {
        let class = existing.unwrap_or_default();
        let message = format!(
            "spec.database: size {:?}; the volume has {now:?} and its StorageClass {class:?} does not allow it to grow",
            wanted.size
        );
        return (None, Some(Verdict::bad(Reason::InvalidSpec, message)));
    }
    let uid = claim.uid().unwrap_or_default();
    (Some(Step::GrowVolume { name: claim.name_any(), uid, size: wanted.size.clone() }), None)
}
