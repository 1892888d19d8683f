//! What a component is, what it plans from, and what it answers.

use jiff::Timestamp;
use kube::api::ObjectMeta;
use operator_api::{ConditionType, PdsInstance, Reason};
use operator_runtime::carry_out::Condemned;
use operator_runtime::child::Child;
use operator_runtime::labels;
use operator_runtime::manifest::Manifest;
use operator_runtime::object::Object;
use operator_runtime::ownership::{Belongs, Lifetime};

use super::super::observed::Observed;
use super::super::step::Step;
use super::super::verdict::Verdict;
use super::super::wanted::Wanted;

/// One part of an instance.
pub trait Component: Sync {
    /// The value of the label `auroralocus.dev/component` of its objects.
    fn name(&self) -> &'static str;
    /// The condition that tells how it is.
    fn condition(&self) -> ConditionType;
    /// The kinds of its objects.
    fn children(&self) -> &'static [Child] {
        &[]
    }
    /// Computes the wanted objects, the steps and the verdict. Pure: no client, no clock.
    fn plan(&self, scene: &Scene<'_>) -> Part;
}

/// What a component plans from.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The instance as it was last seen.
    pub pds: &'a PdsInstance,
    /// What the spec asks for.
    pub wanted: &'a Wanted,
    /// The objects, references and answers that were observed for this reconciliation.
    pub observed: &'a Observed,
    /// The verdicts of the components before this one.
    pub verdicts: &'a [(ConditionType, Verdict)],
}

impl<'a> Scene<'a> {
    /// An object that this instance made. One with its labels and another owner says nothing about it.
    #[must_use]
    pub fn child<K: Object>(&self, name: &str) -> Option<&'a K> {
        let found = self.observed.children.get::<K>(name)?;
        (self.wanted.owner.judge(found.meta(), Lifetime::Instance) == Belongs::Ours).then_some(found)
    }

    /// The first of these conditions that stands in the way of this component, with its verdict.
    #[must_use]
    pub fn obstacle(&self, conditions: &[ConditionType]) -> Option<&'a (ConditionType, Verdict)> {
        let concerns =
            |(condition, verdict): &&(ConditionType, Verdict)| conditions.contains(condition) && verdict.blocks;
        self.verdicts.iter().find(concerns)
    }

    /// The time of the observation.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.observed.now
    }
}

/// What a component wants and how it is.
#[derive(Clone, Debug)]
pub struct Part {
    /// Becomes the condition of the component. `None`: the instance has no such part, and the condition is absent.
    pub verdict: Option<Verdict>,
    /// The objects that should exist now.
    pub manifests: Vec<Manifest>,
    /// What else has to be done.
    pub steps: Vec<Step>,
    /// Objects to delete although they are the component's own.
    pub deletions: Vec<Condemned>,
    /// Whether `manifests` is everything, so that other objects of the component may go.
    pub is_complete: bool,
    /// The image of pods that replace those that run, if the instance has to wait for its turn with that.
    pub turn: Option<String>,
    /// What the status says beside conditions.
    pub facts: Facts,
}

impl Part {
    /// A part with this verdict that wants nothing.
    #[must_use]
    pub fn new(verdict: Verdict) -> Self {
        Self {
            verdict: Some(verdict),
            manifests: Vec::new(),
            steps: Vec::new(),
            deletions: Vec::new(),
            is_complete: false,
            turn: None,
            facts: Facts::default(),
        }
    }

    /// A part that the instance does not have.
    #[must_use]
    pub fn absent() -> Self {
        Self { verdict: None, is_complete: true, ..Self::new(Verdict::good("")) }
    }

    /// The same with one more step.
    #[must_use]
    pub fn with_step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// What the status says beside conditions. Nothing means that it is not known now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Digest of the keys.
    pub fingerprint: Option<String>,
    /// The bucket in use, and the endpoint of its service.
    pub bucket: Option<(String, Option<String>)>,
    /// Version of the PostgreSQL server, for example 150018.
    pub postgres_version: Option<i32>,
    /// The digest of the image that migrated the schema.
    pub image_digest: Option<String>,
    /// When the certificate ends, in seconds since 1970.
    pub certificate_expiry: Option<i64>,
    /// Pods that serve.
    pub ready_replicas: Option<i32>,
    /// Whether every pod is of the wanted kind.
    pub is_rolled_out: Option<bool>,
    /// Whether the spec asks for no pods.
    pub is_stopped: Option<bool>,
}

impl Facts {
    /// These facts, completed by others.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            fingerprint: self.fingerprint.or(other.fingerprint),
            bucket: self.bucket.or(other.bucket),
            postgres_version: self.postgres_version.or(other.postgres_version),
            image_digest: self.image_digest.or(other.image_digest),
            certificate_expiry: self.certificate_expiry.or(other.certificate_expiry),
            ready_replicas: self.ready_replicas.or(other.ready_replicas),
            is_rolled_out: self.is_rolled_out.or(other.is_rolled_out),
            is_stopped: self.is_stopped.or(other.is_stopped),
        }
    }
}

/// Metadata of an object that is deleted with the instance.
pub(super) fn metadata(wanted: &Wanted, name: String, component: &str) -> ObjectMeta {
    let mut metadata = data_metadata(&wanted.instance, wanted.namespace(), name, component);
    metadata.owner_references = Some(vec![wanted.owner.reference.clone()]);
    metadata.labels.get_or_insert_default().insert(labels::OWNER_UID.into(), wanted.owner.reference.uid.clone());
    metadata
}

/// Metadata of an object that outlives the instance.
pub(in crate::kinds::pds_instance) fn data_metadata(
    instance: &str,
    namespace: &str,
    name: String,
    component: &str,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels::all(instance, component)),
        ..Default::default()
    }
}

/// The verdict of a part that waits for another. The message names the other's condition, which tells the cause.
pub(super) fn waiting(what: &str, (condition, obstacle): &(ConditionType, Verdict)) -> Verdict {
    let reason = match obstacle.reason {
        Reason::KeySecretMissing | Reason::KeysMismatch => Reason::WaitingForKeys,
        _ if *condition == ConditionType::DatabaseReady => Reason::WaitingForDatabase,
        _ => Reason::Progressing,
    };
    Verdict::bad(reason, format!("{what} waits for {condition}"))
}
