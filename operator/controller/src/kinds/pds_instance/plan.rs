//! What to do next. Pure: computed from what was observed.

use k8s_openapi::Resource as _;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator_api::{ConditionType, PdsInstance};
use operator_runtime::carry_out::{Condemned, Write};
use operator_runtime::child::Child;
use operator_runtime::hash;
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

impl Plan {
    /// A digest of what the plan asks of the API server; nothing if it asks for nothing. The object store has its own pauses.
    #[must_use]
    pub fn work(&self) -> Option<String> {
        let steps = self.steps.iter().filter(|(_, step)| !step.is_for_object_store());
        let steps: Vec<_> = steps.map(|step| format!("{step:?}")).collect();
        let writes: Vec<_> = self.writes.iter().map(|write| format!("{write:?}")).collect();
        (steps.len() + writes.len() > 0).then(|| hash::of(&(steps, writes), 32))
    }
}

/// Plans from what is wanted and what exists.
#[must_use]
pub fn plan(pds: &PdsInstance, wanted: &Wanted, observed: &Observed) -> Plan {
    let accepted = Verdict::good(format!("PdsClass {}", kube::ResourceExt::name_any(&*wanted.class)));
    let mut plan = Plan { verdicts: vec![(ConditionType::ClassAccepted, accepted)], ..Plan::default() };
    let mut left = Vec::new();
    for component in COMPONENTS {
        let scene = Scene { pds, wanted, observed, verdicts: &plan.verdicts };
        let part = component.plan(&scene);
        let condition = component.condition();
        let gone = part.manifests.iter().find_map(|manifest| leaving(manifest, wanted, observed));
        left.extend(gone.map(|verdict| (condition, verdict)));
        let writes = writes(component, &part, wanted, observed);
        plan.writes.extend(writes.into_iter().map(|write| (condition, write)));
        plan.steps.extend(part.steps.into_iter().map(|step| (condition, step)));
        plan.turns.extend(part.turn.map(|image| (condition, image)));
        plan.facts = part.facts.or(plan.facts);
        if let Some(verdict) = part.verdict {
            put(&mut plan.verdicts, condition, verdict);
        }
    }
    // At the end, since components can share a condition.
    for (condition, verdict) in left {
        put_leaving(&mut plan.verdicts, condition, verdict);
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

/// Sets the verdict that an object is on its way out, unless what is known of the part is worse. It keeps no other part waiting.
fn put_leaving(verdicts: &mut Vec<(ConditionType, Verdict)>, condition: ConditionType, verdict: Verdict) {
    let known = verdicts.iter().find(|(known, _)| *known == condition).map(|(_, verdict)| verdict.clone());
    match known {
        Some(known) if !known.good && known.reason.is_told() => {}
        Some(known) => put(verdicts, condition, Verdict { blocks: known.blocks, ..verdict }),
        None => put(verdicts, condition, verdict.bearable()),
    }
}

/// Tells that an object that the instance needs is being deleted. It is neither written nor deleted until it is gone: a finalizer of somebody
/// else may keep it for as long as that one likes.
fn leaving(manifest: &Manifest, wanted: &Wanted, observed: &Observed) -> Option<Verdict> {
    let live = observed.children.find(manifest.kind, &manifest.name)?.metadata();
    live.deletion_timestamp.as_ref()?;
    (wanted.owner.judge(live, manifest.lifetime) != Belongs::Others)
        .then(|| Verdict::being_deleted(&manifest.title(), manifest.lifetime))
}

fn writes(component: &dyn Component, part: &Part, wanted: &Wanted, observed: &Observed) -> Vec<Write> {
    let mut writes: Vec<_> = part.manifests.iter().filter_map(|manifest| write(manifest, wanted, observed)).collect();
    let is_leaving = |condemned: &&Condemned| {
        let live = observed.children.iter().find(|(kind, metadata)| {
            **kind == *condemned.resource.kind && metadata.uid.as_ref() == Some(&condemned.uid)
        });
        live.is_some_and(|(_, metadata)| metadata.deletion_timestamp.is_some())
    };
    let deletions = part.deletions.iter().filter(|condemned| !is_leaving(condemned));
    writes.extend(deletions.cloned().map(Write::Delete));
    if part.is_complete {
        writes.extend(prunes(component, &part.manifests, wanted, observed));
    }
    writes
}

fn write(manifest: &Manifest, wanted: &Wanted, observed: &Observed) -> Option<Write> {
    let Some(live) = observed.children.find(manifest.kind, &manifest.name) else {
        return Some(Write::Create(manifest.clone()));
    };
    if leaving(manifest, wanted, observed).is_some() {
        return None;
    }
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
        let resource = child.resource();
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
