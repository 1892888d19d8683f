//! The identity of the pods, which has no rights and no token.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::super::validate::Validated;
use super::meta;
use crate::k8s::labels::Component;

pub(super) fn build(wanted: &Validated) -> ServiceAccount {
    ServiceAccount {
        metadata: meta::child(wanted, wanted.names.0.clone(), Component::Pds),
        automount_service_account_token: Some(false),
        ..Default::default()
    }
}
