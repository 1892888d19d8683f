//! What the pods of an instance have in common, and what keeps a pod from running.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerStateTerminated, ContainerStatus, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    ExecAction, HTTPGetAction, LocalObjectReference, Pod, PodSpec, PodStatus, PodTemplateSpec, Probe,
    ResourceRequirements, SecretKeySelector, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use operator_api::Reason;
use operator_runtime::child::{Children, Reduce};
use operator_runtime::labels::{self, COMPONENT};

use super::super::verdict::Verdict;
use super::super::wanted::Wanted;
use super::part::Scene;
use super::{name, security};

/// The user of PostgreSQL.
pub const POSTGRES_USER: i64 = 999;
/// The user of the PDS.
pub const SERVER_USER: i64 = 65532;
/// How long a pod may look for a node before that is told.
const SCHEDULING: SignedDuration = SignedDuration::from_secs(5);
/// How long after its last end a container that is not ready counts as one that ends again and again. Kubernetes waits for at most five
/// minutes before it starts a container anew.
const CRASHING: SignedDuration = SignedDuration::from_secs(600);

/// A pod of the `restricted` profile, without a token, with a `/tmp` of its own, placed as the spec says.
pub(super) fn template(wanted: &Wanted, component: &str, user: i64, container: Container) -> PodTemplateSpec {
    let container = prepared(container);
    let placement = &wanted.pod;
    let tolerations = placement.tolerations.as_ref().map(|list| list.iter().map(toleration).collect());
    let pull = placement
        .image_pull_secrets
        .as_ref()
        .map(|names| names.iter().map(|name| LocalObjectReference { name: name.clone() }).collect());
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels::all(&wanted.instance, component)), ..Default::default() }),
        spec: Some(PodSpec {
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            service_account_name: Some(name::service_account(&wanted.instance)),
            security_context: Some(security::pod((!wanted.platform_chooses_user).then_some(user))),
            containers: vec![container],
            volumes: Some(vec![Volume {
                name: "tmp".into(),
                empty_dir: Some(EmptyDirVolumeSource::default()),
                ..Default::default()
            }]),
            node_selector: placement.node_selector.clone(),
            tolerations,
            priority_class_name: placement.priority_class_name.clone(),
            image_pull_secrets: pull,
            ..Default::default()
        }),
    }
}

/// A container of the `restricted` profile with `/tmp`, whose last words can be read from the pod's status.
pub(super) fn prepared(container: Container) -> Container {
    let mut container = Container {
        security_context: Some(security::container()),
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..container
    };
    container.volume_mounts.get_or_insert_default().push(mount("tmp", "/tmp", false));
    container
}

fn toleration(toleration: &operator_api::Toleration) -> Toleration {
    Toleration {
        key: toleration.key.clone(),
        operator: toleration.operator.clone(),
        value: toleration.value.clone(),
        effect: toleration.effect.clone(),
        toleration_seconds: toleration.toleration_seconds,
    }
}

/// Changes the pod of a template.
pub(super) fn adjust(mut template: PodTemplateSpec, change: impl FnOnce(&mut PodSpec)) -> PodTemplateSpec {
    change(template.spec.get_or_insert_default());
    template
}

pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        read_only: read_only.then_some(true),
        ..Default::default()
    }
}

pub(super) fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort { name: Some(name.into()), container_port: number, ..Default::default() }
}

/// A text that Kubernetes takes as it is: `$(NAME)` in it names no variable.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

pub(super) fn env(variable: &str, value: &str) -> EnvVar {
    EnvVar { name: variable.into(), value: Some(literal(value)), ..Default::default() }
}

pub(super) fn secret_env(variable: &str, secret: &str, key: &str) -> EnvVar {
    EnvVar {
        name: variable.into(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector { name: secret.into(), key: key.into(), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Requests for CPU and memory.
pub(super) fn requests(cpu: &str, memory: &str) -> ResourceRequirements {
    let requests = [("cpu", cpu), ("memory", memory)].map(|(name, amount)| (name.to_owned(), Quantity(amount.into())));
    ResourceRequirements { requests: Some(BTreeMap::from(requests)), ..Default::default() }
}

pub(super) fn http_probe(path: &str, period: i32, failures: i32) -> Probe {
    let port = IntOrString::String("metrics".into());
    Probe {
        http_get: Some(HTTPGetAction { path: Some(path.into()), port, ..Default::default() }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Default::default()
    }
}

pub(super) fn exec_probe(command: &[&str], period: i32, failures: i32) -> Probe {
    Probe {
        exec: Some(exec(command)),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Default::default()
    }
}

pub(super) fn exec(command: &[&str]) -> ExecAction {
    ExecAction { command: Some(command.iter().map(|word| (*word).to_owned()).collect()) }
}

/// Of a pod its conditions and the states of its containers are kept.
pub(crate) struct Essentials;

impl Reduce<Pod> for Essentials {
    fn reduce(pod: &mut Pod) {
        pod.spec = None;
        let Some(status) = pod.status.take() else { return };
        let told = |type_: &str| matches!(type_, "PodScheduled" | "Ready");
        pod.status = Some(PodStatus {
            phase: status.phase,
            conditions: status.conditions.map(|list| list.into_iter().filter(|found| told(&found.type_)).collect()),
            container_statuses: status.container_statuses,
            reason: status.reason,
            message: status.message,
            ..Default::default()
        });
    }
}

/// What makes pods. Labels alone say nothing: a person can give them to any pod.
#[derive(Clone, Copy, Debug)]
pub(super) enum Maker<'a> {
    /// The StatefulSet or Job with this metadata.
    Object(&'a ObjectMeta),
    /// The ReplicaSets of the Deployment of this name.
    Deployment(&'a str),
}

impl Maker<'_> {
    fn made(self, pod: &Pod) -> bool {
        let mut owners = pod.metadata.owner_references.iter().flatten();
        let Some(owner) = owners.find(|owner| owner.controller == Some(true)) else { return false };
        match self {
            Self::Object(metadata) => metadata.uid.as_ref() == Some(&owner.uid),
            Self::Deployment(name) => {
                let hash = owner.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
                owner.kind == "ReplicaSet" && hash.is_some_and(|hash| !hash.contains('-'))
            }
        }
    }
}

/// The pods of a component that its workload made, by name.
pub(super) fn of<'a>(children: &'a Children, component: &'a str, maker: Maker<'a>) -> impl Iterator<Item = &'a Pod> {
    let belongs = move |pod: &&Pod| pod.labels().get(COMPONENT).is_some_and(|label| label == component);
    let lives = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none();
    children.all::<Pod>().filter(belongs).filter(lives).filter(move |pod| maker.made(pod))
}

/// What keeps a pod of the component from running, in words that name the pod.
pub(super) fn stuck(children: &Children, component: &str, maker: Maker<'_>, now: Timestamp) -> Option<Verdict> {
    of(children, component, maker).find_map(|pod| {
        let trouble = |status| waiting(status).or_else(|| crashing(status, now));
        let (reason, why) = unschedulable(pod, now).or_else(|| containers(pod).find_map(trouble))?;
        Some(Verdict::bad(reason, format!("Pod {}: {why}", pod.name_any())))
    })
}

/// What keeps the pods of a StatefulSet or Job from running: a pod that is stuck, or, where there is no pod, why it was refused.
pub(super) fn trouble(scene: &Scene<'_>, component: &str, title: &str, live: &ObjectMeta) -> Option<Verdict> {
    let children = &scene.observed.children;
    let maker = Maker::Object(live);
    stuck(children, component, maker, scene.now()).or_else(|| {
        let refused = scene.observed.refused(live).filter(|_| of(children, component, maker).next().is_none())?;
        Some(Verdict::bad(Reason::PodRefused, format!("{title}: {refused}")))
    })
}

fn unschedulable(pod: &Pod, now: Timestamp) -> Option<(Reason, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|found| {
        found.type_ == "PodScheduled" && found.status == "False" && found.reason.as_deref() == Some("Unschedulable")
    })?;
    let since = condition.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let message = condition.message.clone().unwrap_or_else(|| "no node fits".into());
    (now.duration_since(since) >= SCHEDULING).then_some((Reason::Unschedulable, message))
}

pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
}

/// A container that ended at least twice, a moment ago, and is not ready: between two ends it runs for a while, and a verdict that
/// changed each time would tell nobody anything.
fn crashing(status: &ContainerStatus, now: Timestamp) -> Option<(Reason, String)> {
    let state = status.state.as_ref()?;
    let last = || status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let last = state.terminated.as_ref().or_else(last)?;
    let is_recent = now.duration_since(last.finished_at.as_ref()?.0) < CRASHING;
    (!status.ready && status.restart_count >= 2 && is_recent).then(|| crashed(status, Some(last), ""))
}

fn crashed(status: &ContainerStatus, last: Option<&ContainerStateTerminated>, otherwise: &str) -> (Reason, String) {
    let Some(last) = last else {
        return (Reason::PodCrashing, format!("container {} ends again and again: {otherwise}", status.name));
    };
    let words = last.message.as_deref().unwrap_or(otherwise);
    let words: String = words.lines().last().unwrap_or_default().chars().take(600).collect();
    (Reason::PodCrashing, format!("container {} ended with code {}: {words}", status.name, last.exit_code))
}

fn waiting(status: &ContainerStatus) -> Option<(Reason, String)> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let why = waiting.reason.clone().unwrap_or_default();
    let message = waiting.message.clone().unwrap_or_default();
    match why.as_str() {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            Some((Reason::ImageUnavailable, format!("{why} of {}: {message}", status.image)))
        }
        "CrashLoopBackOff" => {
            let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            Some(crashed(status, last, &message))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some((Reason::PodCrashing, format!("container {} cannot start: {why}: {message}", status.name)))
        }
        _ => None,
    }
}
