//! The settings of the PDS as ConfigMaps.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use operator_runtime::hash;

use super::super::wanted::Wanted;
use super::name::SERVER;
use super::part::metadata;

pub(super) fn settings(wanted: &Wanted) -> ConfigMap {
    let data = wanted.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    config_map(wanted, data)
}

pub(super) fn ca_bundle(wanted: &Wanted) -> Option<ConfigMap> {
    let bundle = wanted.class.spec.ca_bundle.clone()?;
    Some(config_map(wanted, BTreeMap::from([("ca.crt".to_owned(), bundle)])))
}

/// Named by what it holds and never changed, so that its content need not be watched and pods start anew with another one.
fn config_map(wanted: &Wanted, data: BTreeMap<String, String>) -> ConfigMap {
    let name = format!("{}-config-{}", wanted.instance, hash::of(&data, 10));
    ConfigMap {
        metadata: metadata(wanted, name, SERVER),
        immutable: Some(true),
        data: Some(data),
        ..Default::default()
    }
}
