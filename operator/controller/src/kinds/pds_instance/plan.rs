//! What to do next. Pure: computed from what was observed.

use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use operator_api::{ConditionType, PdsInstance};
use operator_runtime::carry_out::{Condemned, Write};
use operator_runtime::child::Child;
use operator_runtime::labels::COMPONENT;
use operator_runtime::manifest::Manifest;
use operator_runtime::ownership::{Belongs, Lifetime};

use super::component::COMPONENTS;
use super::component::part::{Component, Facts, Part, Scene};
use super::observed::Observed;
use super::step::Step;
use super::verdict::Verdict;
use super::wanted::Wanted;

/// What to do next, and how every part is.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// How every part is, in the order of the components.
    pub verdicts: Vec<(ConditionType, Verdict)>,
    /// Objects to write, with the condition that tells if one is refused.
    pub writes: Vec<(ConditionType, Write)>,
    /// What else has to be done.
    pub steps: Vec<(ConditionType, Step)>,
    /// The parts whose pods are replaced only when it is the turn of this instance, with the image of the new pods.
    pub turns: Vec<(ConditionType, String)>,
    /// What the status says beside conditions.
    pub facts: Facts,
}

/// Plans from what is wanted and what exists.
#[must_use]
pub fn plan(pds: &PdsInstance, wanted: &Wanted, observed: &Observed) -> Plan {
    let accepted = Verdict::good(format!("PdsClass {}", kube::ResourceExt::name_any(&*wanted.class)));
    let mut plan = Plan { verdicts: vec![(ConditionType::ClassAccepted, accepted)], ..Plan::default() };
    for component in COMPONENTS {
        let scene = Scene { pds, wanted, observed, verdicts: &plan.verdicts };
        let part = component.plan(&scene);
        let condition = component.condition();
        let writes = writes(component, &part, wanted, observed);
        plan.writes.extend(writes.into_iter().map(|write| (condition, write)));
        plan.steps.extend(part.steps.into_iter().map(|step| (condition, step)));
        plan.turns.extend(part.turn.map(|image| (condition, image)));
        plan.facts = part.facts.or(plan.facts);
        if let Some(verdict) = part.verdict {
            put(&mut plan.verdicts, condition, verdict);
        }
    }
    for (condition, verdict) in &wanted.complaints {
        put(&mut plan.verdicts, *condition, verdict.clone());
    }
    plan
}

/// Sets a verdict in place of an earlier one of the same condition.
pub fn put(verdicts: &mut Vec<(ConditionType, Verdict)>, condition: ConditionType, verdict: Verdict) {
    match verdicts.iter_mut().find(|(known, _)| *known == condition) {
        Some((_, known)) => *known = verdict,
        None => verdicts.push((condition, verdict)),
    }
}

fn writes(component: &dyn Component, part: &Part, wanted: &Wanted, observed: &Observed) -> Vec<Write> {
    let mut writes: Vec<_> = part.manifests.iter().filter_map(|manifest| write(manifest, wanted, observed)).collect();
    writes.extend(part.deletions.iter().cloned().map(Write::Delete));
    if part.is_complete {
        writes.extend(prunes(component, &part.manifests, wanted, observed));
    }
    writes
}

fn write(manifest: &Manifest, wanted: &Wanted, observed: &Observed) -> Option<Write> {
    let Some(live) = observed.children.find(manifest.kind, &manifest.name) else {
        return Some(Write::Create(manifest.clone()));
    };
    // An object of somebody else under this name is refused when it is written, by what the API server shows then.
    if wanted.owner.judge(live.metadata(), manifest.lifetime) != Belongs::Ours {
        return Some(Write::Create(manifest.clone()));
    }
    manifest.differs_from(live).then(|| Write::Apply(manifest.clone()))
}

/// Deletions of objects that the component made earlier and no longer wants.
fn prunes(component: &dyn Component, kept: &[Manifest], wanted: &Wanted, observed: &Observed) -> Vec<Write> {
    let condemned = |(kind, metadata): (&'static str, &ObjectMeta)| {
        let child = prunable(component, kind)?;
        let name = metadata.name.clone()?;
        let label = metadata.labels.as_ref().and_then(|labels| labels.get(COMPONENT));
        let ours = label.is_some_and(|label| label == component.name())
            && wanted.owner.judge(metadata, Lifetime::Instance) == Belongs::Ours;
        let is_kept = kept.iter().any(|manifest| manifest.kind == kind && manifest.name == name);
        if !ours || is_kept || metadata.deletion_timestamp.is_some() {
            return None;
        }
        let uid = metadata.uid.clone()?;
        let resource = resource(child);
        Some(Write::Delete(Condemned { resource, name, uid, lifetime: Lifetime::Instance, foreground: false }))
    };
    observed.children.iter().filter_map(condemned).collect()
}

/// The child type of a kind that may be pruned. PersistentVolumeClaims are never pruned: only the deletion policy removes them.
fn prunable(component: &dyn Component, kind: &str) -> Option<&'static Child> {
    if kind == PersistentVolumeClaim::KIND {
        return None;
    }
    component.children().iter().find(|child| child.kind == kind && child.verbs.contains(&"delete"))
}

fn resource(child: &Child) -> ApiResource {
    let api_version =
        if child.group.is_empty() { child.version.to_owned() } else { format!("{}/{}", child.group, child.version) };
    ApiResource {
        group: child.group.into(),
        version: child.version.into(),
        api_version,
        kind: child.kind.into(),
        plural: child.plural.into(),
    }
}
