//! Decides whether writing a Deployment or StatefulSet replaces pods, and whether that has to wait for a turn.
//!
//! The status notes which generation of the spec the pods follow. Pods of another kind for the same generation are wanted by the class or
//! by a new version of the operator: that concerns many instances, so each waits for its turn.

use kube::ResourceExt;
use operator_api::PdsInstance;
use operator_runtime::compare::{canonical, differs};
use operator_runtime::hash;
use operator_runtime::labels::{INSTANCE, TEMPLATE_HASH, TURN};
use operator_runtime::manifest::Manifest;
use operator_runtime::object::{AnyObject, Object};
use operator_runtime::ownership::Lifetime;
use serde_json::Value;

use crate::rollouts::Rolling;

/// A Deployment or StatefulSet as it should be.
pub(super) fn manifest<K: Object>(workload: &K) -> Manifest {
    let mut workload = workload.clone();
    let template = hash::of(&canonical(template(&workload.json())), 16);
    workload.annotations_mut().insert(TEMPLATE_HASH.into(), template);
    Manifest::of(&workload, Lifetime::Instance)
}

/// Whether writing the workload replaces pods.
pub(super) fn replaces_pods(manifest: &Manifest, live: &dyn AnyObject) -> bool {
    let noted = annotation(live, TEMPLATE_HASH);
    let hash = manifest.json["metadata"]["annotations"][TEMPLATE_HASH].as_str();
    noted.is_some_and(|noted| Some(noted) != hash) || differs(&template(&live.json()), &template(&manifest.json))
}

/// Whether it replaces them for a reason that concerns many instances.
pub(super) fn needs_turn(pds: &PdsInstance, manifest: &Manifest, live: &dyn AnyObject) -> bool {
    let applied = pds.status.as_ref().and_then(|status| status.applied_generation);
    let is_new = applied.is_some() && applied != pds.metadata.generation;
    !is_new && replaces_pods(manifest, live)
}

/// Sets the annotation by which later reconciliations count this rollout against `--max-rollouts`.
pub fn mark(manifest: &mut Manifest) {
    manifest.json["metadata"]["annotations"][TURN] = Value::String("taken".into());
}

/// The rollout of a workload that replaces its pods in a turn.
pub(super) fn rolling(live: &dyn AnyObject, image: Option<&str>, is_rolling: bool, is_stuck: bool) -> Option<Rolling> {
    if !(is_rolling || is_stuck) {
        return None;
    }
    annotation(live, TURN)?;
    // The StatefulSet of PostgreSQL has a name of its own; its label names the instance.
    let instance = live.metadata().labels.as_ref()?.get(INSTANCE)?.clone();
    let namespace = live.metadata().namespace.clone()?;
    Some(Rolling { instance: (namespace, instance), image: image?.to_owned(), is_stuck })
}

fn annotation<'a>(live: &'a dyn AnyObject, key: &str) -> Option<&'a str> {
    live.metadata().annotations.as_ref()?.get(key).map(String::as_str)
}

fn template(workload: &Value) -> Value {
    workload["spec"]["template"].clone()
}
