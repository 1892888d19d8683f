//! The rights that the operator needs, as they follow from what it does. The chart's roles are generated from this list.

use std::collections::{BTreeMap, BTreeSet};

use operator_runtime::child::Child;

use crate::kinds::pds_instance::component::{COMPONENTS, HANDLED};

/// Rights to one kind of objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: String,
    /// The name in URLs, with a subresource behind a slash.
    pub resource: String,
    /// What may be done.
    pub verbs: Vec<String>,
}

impl Right {
    fn new(group: &str, resource: &str, verbs: &[&str]) -> Self {
        let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
        Self { group: group.into(), resource: resource.into(), verbs }
    }
}

/// Every kind that is watched.
pub fn children() -> impl Iterator<Item = &'static Child> {
    HANDLED.iter().chain(COMPONENTS.iter().flat_map(|component| component.children()))
}

/// Rights in every namespace that the operator serves.
#[must_use]
pub fn in_namespaces() -> Vec<Right> {
    let mut verbs: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for child in children() {
        let verbs = verbs.entry((child.group, child.plural)).or_default();
        verbs.extend(["list", "watch"].iter().chain(child.verbs));
        // What is written or deleted is read before.
        if !child.verbs.is_empty() {
            verbs.insert("get");
        }
    }
    let order = ["get", "list", "watch", "create", "patch", "update", "delete"];
    let mut rights: Vec<_> = verbs
        .into_iter()
        .map(|((group, resource), verbs)| {
            let verbs: Vec<_> = order.into_iter().filter(|verb| verbs.contains(verb)).collect();
            Right::new(group, resource, &verbs)
        })
        .collect();
    rights.extend([
        Right::new("auroralocus.dev", "pdsinstances", &["get", "list", "watch", "patch"]),
        Right::new("auroralocus.dev", "pdsinstances/status", &["patch"]),
        // Owner references with blockOwnerDeletion, where the cluster checks who may set them.
        Right::new("auroralocus.dev", "pdsinstances/finalizers", &["update"]),
        // What kept pods from being created.
        Right::new("", "events", &["list", "watch"]),
        Right::new("events.k8s.io", "events", &["create", "patch"]),
    ]);
    rights
}

/// Rights over the cluster, also for an operator that serves only some namespaces.
#[must_use]
pub fn in_cluster() -> Vec<Right> {
    vec![
        Right::new("auroralocus.dev", "pdsclasses", &["list", "watch"]),
        Right::new("auroralocus.dev", "pdshostnameclaims", &["get", "list", "watch", "create", "update", "delete"]),
        Right::new("auroralocus.dev", "pdsbucketclaims", &["list", "watch", "create", "delete"]),
        // Their labels, for the classes that choose namespaces.
        Right::new("", "namespaces", &["get", "list", "watch"]),
        // Whether a volume can grow.
        Right::new("storage.k8s.io", "storageclasses", &["get"]),
        // Whether the definitions are those of this version.
        Right::new("apiextensions.k8s.io", "customresourcedefinitions", &["get"]),
    ]
}

/// Rights in the operator's own namespace.
#[must_use]
pub fn in_own_namespace() -> Vec<Right> {
    vec![
        Right::new("coordination.k8s.io", "leases", &["get", "create", "update"]),
        // The credentials of classes, and the seed.
        Right::new("", "secrets", &["get", "list", "watch", "create"]),
    ]
}
