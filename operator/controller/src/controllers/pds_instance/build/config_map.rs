//! The settings of the PDS, and the start script of its PostgreSQL.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::super::validate::Validated;
use super::meta;
use crate::k8s::hash;
use crate::k8s::labels::Component;

const START: &str = include_str!("postgres-start.sh");

/// Only the PDS's role, over the network, by password. Inside the pod the socket is open: who is there owns the files.
const HBA: &str = "\
local all all                trust
host  pds pds all            scram-sha-256
";

pub(super) fn settings(wanted: &Validated) -> ConfigMap {
    let data: BTreeMap<String, String> =
        wanted.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let name = wanted.names.config(&hash::of(&data, 10));
    ConfigMap {
        metadata: meta::child(wanted, name, Component::Pds),
        immutable: Some(true),
        data: Some(data),
        ..Default::default()
    }
}

pub(super) fn postgres(wanted: &Validated) -> ConfigMap {
    let files = [("start.sh", START), ("pg_hba.conf", HBA)];
    ConfigMap {
        metadata: meta::child(wanted, wanted.names.postgres(), Component::Postgres),
        data: Some(files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()),
        ..Default::default()
    }
}
