//! The store of all instances, also of those that cannot be read, and how the owner of an object is found in it.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use operator_runtime::tolerant::Tolerant;

/// An instance, or why it cannot be read.
pub type Guarded = Tolerant<PdsInstance>;

/// The store that the watch of instances fills.
pub type Instances = Store<Guarded>;

/// The instance that an owner reference names, if it exists. A reference without a kind stands for a label with the UID of the instance.
pub(crate) fn owned_by(instances: &Instances, namespace: &str, owner: &OwnerReference) -> Option<Arc<Guarded>> {
    let found = instances.get(&ObjectRef::new(&owner.name).within(namespace))?;
    let is_of_kind = owner.kind.is_empty() || owner.kind == PdsInstance::kind(&());
    (is_of_kind && found.uid().as_ref() == Some(&owner.uid)).then_some(found)
}
