//! The volume of SQLite, which outlives the instance.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::validate::{Claim, Validated};
use super::meta;
use crate::k8s::labels::Component;

pub(super) fn build(wanted: &Validated, volume: &Claim) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: meta::data(wanted, wanted.names.sqlite_volume(), Component::Pds),
        spec: Some(spec(volume)),
        ..Default::default()
    }
}

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
