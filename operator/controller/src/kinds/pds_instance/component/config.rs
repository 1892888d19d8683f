//! The settings of the PDS as variables of its pods, and the class's certificates as a ConfigMap.
//!
//! Settings stand in the workload itself: a tenant may write ConfigMaps, and what the class says must bind. The certificates are too large
//! for that, so the pods are told the hash that the file must have.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, EnvVar, Volume};
use kube::ResourceExt;
use operator_runtime::hash;

use super::super::wanted::Wanted;
use super::name::SERVER;
use super::part::metadata;
use super::pod;

pub(super) const CA_VOLUME: &str = "ca";

/// The variables of all settings.
pub(super) fn env(wanted: &Wanted) -> impl Iterator<Item = EnvVar> {
    wanted.settings.iter().map(|(name, value)| pod::env(name, value))
}

/// The variables that tell of the certificates alone.
pub(super) fn ca_env(wanted: &Wanted) -> impl Iterator<Item = EnvVar> {
    let about_ca = |name: &str| matches!(name, "PDS_CA_FILE" | "PDS_CA_SHA256");
    wanted.settings.iter().filter(move |(name, _)| about_ca(name)).map(|(name, value)| pod::env(name, value))
}

/// The certificates of the class. Named by what it holds and never changed, so that pods start anew with another one.
pub(super) fn ca_bundle(wanted: &Wanted) -> Option<ConfigMap> {
    let bundle = wanted.class.spec.ca_bundle.clone()?;
    let data = BTreeMap::from([("ca.crt".to_owned(), bundle)]);
    let name = format!("{}-config-{}", wanted.instance, hash::of(&data, 10));
    Some(ConfigMap {
        metadata: metadata(wanted, name, SERVER),
        immutable: Some(true),
        data: Some(data),
        ..Default::default()
    })
}

/// The volume with the certificates of the class.
pub(super) fn ca_volume(wanted: &Wanted) -> Option<Volume> {
    ca_bundle(wanted).map(|ca| Volume {
        name: CA_VOLUME.into(),
        config_map: Some(ConfigMapVolumeSource { name: ca.name_any(), ..Default::default() }),
        ..Default::default()
    })
}
