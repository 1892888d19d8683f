//! Labels and annotations of the objects that an operator makes.

use std::collections::BTreeMap;

/// The name of the instance that an object belongs to. Selectors use it; they can never change, so neither can it.
pub const INSTANCE: &str = "auroralocus.dev/instance";
/// The part of the instance that an object belongs to.
pub const COMPONENT: &str = "auroralocus.dev/component";
/// The UID of the instance that an object goes with. It tells whose an object is whose owner references somebody removed, as a deletion with
/// the policy `Orphan` does.
pub const OWNER_UID: &str = "auroralocus.dev/owner-uid";
/// The hash of what was written last.
pub const APPLIED_HASH: &str = "auroralocus.dev/applied-hash";
/// On a workload: the hash of its pod template, which tells a field that is gone.
pub const TEMPLATE_HASH: &str = "auroralocus.dev/template-hash";
/// On a workload whose pods are replaced in a turn.
pub const TURN: &str = "auroralocus.dev/turn";
/// What [`MANAGED_BY_LABEL`] says on our objects.
pub const MANAGED_BY: &str = "aurora-locus-operator";
/// The label by which people find what a tool made.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The annotation by which a cloud gives a service account a role.
pub const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// The annotations that are compared with those of objects that exist.
pub const COMPARED: [&str; 4] = [APPLIED_HASH, TEMPLATE_HASH, TURN, ROLE_ARN];
/// What all annotations of this project begin with.
pub const PREFIX: &str = "auroralocus.dev/";

/// The labels by which Services and workloads find their pods.
#[must_use]
pub fn selector(instance: &str, component: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(INSTANCE.into(), instance.into()), (COMPONENT.into(), component.into())])
}

/// All labels of an object: those of the selector, and those that people and tools look for. `app.kubernetes.io/instance` is not among
/// them, since GitOps tools may track by it and would prune the object.
#[must_use]
pub fn all(instance: &str, component: &str) -> BTreeMap<String, String> {
    let mut labels = selector(instance, component);
    for (key, value) in [
        ("app.kubernetes.io/name", "aurora-locus"),
        ("app.kubernetes.io/part-of", "aurora-locus"),
        ("app.kubernetes.io/component", component),
        (MANAGED_BY_LABEL, MANAGED_BY),
    ] {
        labels.insert(key.into(), value.into());
    }
    labels
}

/// Whether [`all`] sets a label of this name, or it is [`OWNER_UID`].
#[must_use]
pub fn is_set(label: &str) -> bool {
    let names = ["app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component"];
    names.contains(&label) || [INSTANCE, COMPONENT, OWNER_UID, MANAGED_BY_LABEL].contains(&label)
}

/// Selects every object that belongs to an instance.
#[must_use]
pub fn any_instance() -> String {
    format!("{INSTANCE},{MANAGED_BY_LABEL}={MANAGED_BY}")
}
