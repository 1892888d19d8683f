//! Names, labels and owners.

use kube::api::ObjectMeta;

use super::super::validate::Validated;
use crate::k8s::labels::{Component, all};

/// Of an object that goes with the instance.
pub(super) fn child(wanted: &Validated, name: String, component: Component) -> ObjectMeta {
    ObjectMeta { owner_references: Some(vec![wanted.owner.clone()]), ..data(wanted, name, component) }
}

/// Of an object that outlives the instance.
pub(in super::super) fn data(wanted: &Validated, name: String, component: Component) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(wanted.namespace.clone()),
        labels: Some(all(&wanted.names.0, component)),
        ..Default::default()
    }
}
