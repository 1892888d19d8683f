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

/// The annotation of a template that makes pods start anew when a Secret changes that they read at their start.
pub(super) const SECRETS: &str = "auroralocus.dev/secrets-version";

/// A Deployment or StatefulSet as it should be.
pub(super) fn manifest<K: Object>(workload: &K) -> Manifest {
    let mut workload = workload.clone();
    let hash = hash::of(&canonical(without_secrets(&workload.json())), 16);
    workload.annotations_mut().insert(TEMPLATE_HASH.into(), hash);
    Manifest::of(&workload, Lifetime::Instance)
}

/// Whether writing the workload replaces pods.
pub(super) fn replaces_pods(manifest: &Manifest, live: &dyn AnyObject) -> bool {
    has_other_hash(manifest, live) || differs(&template(&live.json()), &template(&manifest.json))
}

/// Whether it replaces pods that serve, for a reason that concerns many instances. What a Secret of the instance holds is its own affair.
pub(super) fn needs_turn(pds: &PdsInstance, manifest: &Manifest, live: &dyn AnyObject, serves: bool) -> bool {
    let applied = pds.status.as_ref().and_then(|status| status.applied_generation);
    let is_new = applied.is_some() && applied != pds.metadata.generation;
    let is_wanted_by_others =
        || has_other_hash(manifest, live) || differs(&template(&live.json()), &without_secrets(&manifest.json));
    serves && !is_new && is_wanted_by_others()
}

fn has_other_hash(manifest: &Manifest, live: &dyn AnyObject) -> bool {
    let hash = manifest.json["metadata"]["annotations"][TEMPLATE_HASH].as_str();
    annotation(live, TEMPLATE_HASH).is_some_and(|noted| Some(noted) != hash)
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

/// The template without what tells of Secrets.
fn without_secrets(workload: &Value) -> Value {
    let mut template = template(workload);
    if let Some(annotations) = template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(SECRETS);
    }
    template
}
