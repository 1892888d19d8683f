//! Keeps all but one pod during node maintenance.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::validate::Validated;
use super::meta;
use crate::k8s::labels::{Component, selector};

pub(super) fn build(wanted: &Validated) -> Option<PodDisruptionBudget> {
    (wanted.replicas >= 2).then(|| PodDisruptionBudget {
        metadata: meta::child(wanted, wanted.names.0.clone(), Component::Pds),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(selector(&wanted.names.0, Component::Pds)),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    })
}
