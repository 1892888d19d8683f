//! The PDS: its ConfigMaps, Deployment, Services and PodDisruptionBudget.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, Lifecycle, LifecycleHandler, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource,
    SecretVolumeSource, Service, ServicePort, ServiceSpec, SleepAction, TopologySpreadConstraint, Volume,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use operator_api::{ConditionType, PdsInstance, Reason};
use operator_runtime::child::Child;
use operator_runtime::labels::{self, selector};
use operator_runtime::manifest::Manifest;
use operator_runtime::ownership::Lifetime;

use super::super::observed::Observed;
use super::super::verdict::Verdict;
use super::super::wanted::{Blobs, Database, Wanted};
use super::part::{Component, Part, Scene, data_metadata, metadata};
use super::pod::{self, Maker, SERVER_USER};
use super::{config, keys, name, network, rollout, secrets, volume};
use crate::rollouts::{Rolling, Workload};

/// How long a rollout may take before it counts as stuck, in seconds.
const PROGRESS_DEADLINE: i32 = 300;

/// Name of the Service with the metrics.
#[must_use]
pub fn metrics_name(instance: &str) -> String {
    format!("{instance}-metrics")
}

/// The number of pods that the Deployment asks for now; nothing if there is none.
#[must_use]
pub fn live_replicas(pds: &PdsInstance, observed: &Observed) -> Option<i32> {
    observed.children.get::<Deployment>(&pds.name_any())?.spec.as_ref()?.replicas
}

/// The rollout of a server that has its turn.
#[must_use]
pub fn rolling(live: &Deployment) -> Option<Rolling> {
    let status = live.status.clone().unwrap_or_default();
    let wanted = live.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or(0);
    let unseen = status.observed_generation < live.metadata.generation;
    // A rollout that is complete stays so when pods are lost later.
    let is_over =
        condition(live, "Progressing").is_some_and(|found| found.reason.as_deref() == Some("NewReplicaSetAvailable"));
    // Pods that replaced the old ones and do not serve are no end of it: with SQLite nothing is left that would.
    let is_behind = updated < wanted || status.replicas.unwrap_or(0) > updated || replicas(live) < wanted;
    let is_rolling = unseen || (!is_over && is_behind);
    let pod = live.spec.as_ref().and_then(|spec| spec.template.spec.as_ref())?;
    let image = pod.containers.first().and_then(|container| container.image.as_deref());
    rollout::rolling(live, image, is_rolling, stuck(live).is_some())
}

/// What turns depend on of a Deployment.
#[must_use]
pub fn workload(live: &Deployment) -> Workload {
    let wanted = live.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let serves = is_complete(live, wanted) && replicas(live) >= 1;
    let pod = live.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()).filter(|_| serves);
    let images = pod.iter().flat_map(|pod| &pod.containers).filter_map(|container| container.image.clone());
    Workload {
        metadata: live.metadata.clone(),
        rolling: rolling(live),
        serving: images.collect(),
        ready: live.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0),
    }
}

fn replicas(live: &Deployment) -> i32 {
    live.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

/// Runs the PDS: settings, Services, PodDisruptionBudget and Deployment. Sets `WorkloadAvailable`.
pub struct Server;

impl Component for Server {
    fn name(&self) -> &'static str {
        name::SERVER
    }

    fn condition(&self) -> ConditionType {
        ConditionType::WorkloadAvailable
    }

    fn children(&self) -> &'static [Child] {
        const FULL: &[&str] = &["create", "patch", "delete"];
        const CHILDREN: &[Child] = &[
            Child::whole::<Deployment>(FULL),
            Child::whole::<Service>(FULL),
            Child::metadata::<ConfigMap>(FULL),
            Child::whole::<PodDisruptionBudget>(FULL),
            Child::reduced::<PersistentVolumeClaim, volume::Essentials>(FULL),
        ];
        CHILDREN
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let wanted = scene.wanted;
        let live = scene.child::<Deployment>(&wanted.instance);
        let mut part = Part::new(verdict(scene, live));
        part.facts.ready_replicas = Some(live.and_then(|live| live.status.as_ref()?.ready_replicas).unwrap_or(0));
        part.facts.is_rolled_out = Some(live.is_some_and(|live| is_complete(live, wanted.replicas)));
        part.facts.is_stopped = Some(wanted.replicas == 0);
        let earlier = [ConditionType::HostnameClaimed, ConditionType::KeysReady, ConditionType::WorkloadAvailable];
        if scene.obstacle(&earlier).is_some() {
            return waits(part, scene, live);
        }
        let files = config::files(wanted).into_iter();
        let mut manifests: Vec<_> = files.map(|files| Manifest::once(&files.map, Lifetime::Instance)).collect();
        manifests.extend(services(wanted).iter().map(|service| Manifest::of(service, Lifetime::Instance)));
        manifests.extend(budget(wanted).map(|budget| Manifest::of(&budget, Lifetime::Instance)));
        if let Database::Sqlite { volume } = &wanted.database {
            let claim = PersistentVolumeClaim {
                metadata: data_metadata(
                    &wanted.instance,
                    wanted.namespace(),
                    name::sqlite_volume(&wanted.instance),
                    name::SERVER,
                ),
                spec: Some(volume::spec(volume)),
                ..Default::default()
            };
            manifests.push(Manifest::once(&claim, Lifetime::Data));
        }
        part.manifests = manifests;
        let needed = [
            ConditionType::DatabaseReady,
            ConditionType::SchemaMigrated,
            ConditionType::BlobStoreReady,
            ConditionType::CertificateReady,
            ConditionType::SecretsReady,
        ];
        if scene.obstacle(&needed).is_some() || !secrets_are_there(scene) {
            return waits(part, scene, live);
        }
        let deployment = deployment(scene);
        let manifest = rollout::manifest(&deployment);
        if let Some(live) = live.filter(|live| rollout::replaces_pods(&manifest, *live)) {
            part.turn =
                rollout::needs_turn(scene.pds, &manifest, live, replicas(live) >= 1).then(|| wanted.image.clone());
            part.facts.is_rolled_out = Some(false);
        }
        part.manifests.push(manifest);
        // Old files stay while old pods do.
        part.is_complete = part.facts.is_rolled_out == Some(true);
        part
    }
}

/// The part while an earlier component is not ready: an existing Deployment is left unchanged, a missing one is not made yet.
fn waits(mut part: Part, scene: &Scene<'_>, live: Option<&Deployment>) -> Part {
    if live.is_some() {
        // It was not compared with what is wanted.
        part.facts.is_rolled_out = None;
    } else {
        let blocking =
            scene.verdicts.iter().find(|(_, verdict)| verdict.blocks).map(|(condition, _)| condition.as_str());
        let why = blocking.unwrap_or("its Secrets");
        part.verdict = Some(Verdict::bad(Reason::Progressing, format!("the server waits for {why}")));
    }
    part
}

/// Whether every Secret that pods read at their start was observed. The pod template contains a hash of their values.
fn secrets_are_there(scene: &Scene<'_>) -> bool {
    let observed = scene.observed;
    let bucket = match &scene.wanted.blobs {
        Blobs::Provisioned { .. } if scene.wanted.uses_role() => network::role(scene).is_some(),
        Blobs::Provisioned { .. } => observed.s3_secret.is_some(),
        Blobs::Given { .. } => observed.given.is_some(),
        Blobs::Disk => true,
    };
    let named = secrets::of_services(&scene.pds.spec, Some(&scene.wanted.class));
    let services = named.iter().all(|one| observed.references.services.contains_key(one.field));
    observed.keys.is_some()
        && bucket
        && services
        && (observed.postgres_secret.is_some() || !scene.wanted.has_postgres())
}

fn verdict(scene: &Scene<'_>, live: Option<&Deployment>) -> Verdict {
    let name = &scene.wanted.instance;
    let Some(live) = live else { return Verdict::bad(Reason::Progressing, "the pods are not made yet") };
    let available = live.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0);
    let replicas = scene.wanted.replicas;
    let pods = format!("{available} of {replicas} pods serve");
    if replicas == 0 {
        return Verdict::bad(Reason::Progressing, "spec.replicas is 0: no pod runs");
    }
    let trouble = pod::stuck(&scene.observed.children, name::SERVER, Maker::Deployment(name), scene.now());
    if let Some(deadline) = stuck(live) {
        let why = trouble.map_or(deadline, |verdict| verdict.message);
        return Verdict::bad(Reason::RolloutStuck, format!("Deployment {name}: {why}; {pods}"));
    }
    if let Some(refused) = replica_failure(live) {
        return Verdict::bad(Reason::PodRefused, format!("Deployment {name}: {refused}; {pods}"));
    }
    if let Some(trouble) = trouble {
        return Verdict::bad(trouble.reason, format!("{}; {pods}", trouble.message));
    }
    if available >= 1 { Verdict::good(pods) } else { Verdict::bad(Reason::Progressing, pods) }
}

fn condition<'a>(live: &'a Deployment, type_: &str) -> Option<&'a DeploymentCondition> {
    live.status.as_ref()?.conditions.as_ref()?.iter().find(|found| found.type_ == type_)
}

fn stuck(live: &Deployment) -> Option<String> {
    let found = condition(live, "Progressing")?;
    let is_stuck = found.status == "False" && found.reason.as_deref() == Some("ProgressDeadlineExceeded");
    is_stuck.then(|| format!("new pods did not become ready within {PROGRESS_DEADLINE} s"))
}

fn replica_failure(live: &Deployment) -> Option<String> {
    let found = condition(live, "ReplicaFailure").filter(|found| found.status == "True")?;
    found.message.clone()
}

/// Whether every pod is of the wanted kind.
fn is_complete(live: &Deployment, replicas: i32) -> bool {
    let status = live.status.clone().unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or(0);
    let current = status.observed_generation == live.metadata.generation;
    current
        && count(status.updated_replicas) == replicas
        && count(status.available_replicas) >= replicas
        && count(status.replicas) == replicas
}

/// XRPC at the port that the URL implies, and metrics.
fn services(wanted: &Wanted) -> [Service; 2] {
    let (name, port) = if wanted.tls.is_some() { ("https", 443) } else { ("http", 80) };
    [
        service(wanted, wanted.instance.clone(), (name, port, "xrpc")),
        service(wanted, metrics_name(&wanted.instance), ("metrics", 9464, "metrics")),
    ]
}

fn service(wanted: &Wanted, name: String, (port_name, port, target): (&str, i32, &str)) -> Service {
    Service {
        metadata: metadata(wanted, name, name::SERVER),
        spec: Some(ServiceSpec {
            selector: Some(selector(&wanted.instance, name::SERVER)),
            ip_family_policy: Some("PreferDualStack".into()),
            ports: Some(vec![ServicePort {
                name: Some(port_name.into()),
                port,
                target_port: Some(IntOrString::String(target.into())),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Keeps all but one pod during node maintenance. A pod that is not ready serves nobody, so it may always be evicted.
fn budget(wanted: &Wanted) -> Option<PodDisruptionBudget> {
    (wanted.replicas >= 2).then(|| PodDisruptionBudget {
        metadata: metadata(wanted, wanted.instance.clone(), name::SERVER),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(labelled(wanted)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn deployment(scene: &Scene<'_>) -> Deployment {
    let wanted = scene.wanted;
    let sqlite = wanted.is_sqlite();
    let template = pod::template(wanted, name::SERVER, SERVER_USER, container(scene));
    let mut template = pod::adjust(template, |spec| {
        spec.termination_grace_period_seconds = Some(60);
        if !sqlite {
            spec.topology_spread_constraints = Some(vec![spread(wanted)]);
        }
        spec.volumes.get_or_insert_default().extend(volumes(wanted));
    });
    let mut annotations = BTreeMap::from([(rollout::SECRETS.into(), keys::version(scene))]);
    // A cloud gives a pod its role at its start.
    annotations.extend(wanted.own_role().map(|arn| (labels::ROLE_ARN.to_owned(), arn.to_owned())));
    template.metadata.get_or_insert_default().annotations = Some(annotations);
    Deployment {
        metadata: metadata(wanted, wanted.instance.clone(), name::SERVER),
        spec: Some(DeploymentSpec {
            replicas: Some(wanted.replicas),
            revision_history_limit: Some(2),
            progress_deadline_seconds: Some(PROGRESS_DEADLINE),
            strategy: Some(strategy(sqlite)),
            selector: labelled(wanted),
            template,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn container(scene: &Scene<'_>) -> Container {
    let wanted = scene.wanted;
    let mounts = [
        wanted.is_sqlite().then(|| pod::mount("data", "/data", false)),
        wanted.tls.is_some().then(|| pod::mount("tls", "/tls", true)),
    ];
    let files = config::files(wanted);
    let mounts = mounts.into_iter().flatten().chain(files.iter().map(config::Files::mount));
    Container {
        name: "pds".into(),
        image: Some(wanted.image.clone()),
        args: Some(vec!["serve".into()]),
        env: Some(config::env(wanted).chain(secrets::env(scene)).collect()),
        ports: Some(vec![pod::port("xrpc", 2583), pod::port("metrics", 9464)]),
        startup_probe: Some(pod::http_probe("/livez", 1, 120)),
        liveness_probe: Some(pod::http_probe("/livez", 10, 3)),
        readiness_probe: Some(pod::http_probe("/readyz", 2, 2)),
        lifecycle: Some(Lifecycle {
            // Proxies learn of the leaving pod meanwhile.
            pre_stop: Some(LifecycleHandler { sleep: Some(SleepAction { seconds: 3 }), ..Default::default() }),
            ..Default::default()
        }),
        resources: Some(wanted.pod.resources.clone().unwrap_or_else(|| pod::requests("50m", "64Mi"))),
        volume_mounts: Some(mounts.collect()),
        ..Default::default()
    }
}

fn volumes(wanted: &Wanted) -> Vec<Volume> {
    let data = wanted.is_sqlite().then(|| Volume {
        name: "data".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: name::sqlite_volume(&wanted.instance),
            ..Default::default()
        }),
        ..Default::default()
    });
    let tls = wanted.tls.as_ref().map(|secret| Volume {
        name: "tls".into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.clone()),
            default_mode: Some(0o440),
            ..Default::default()
        }),
        ..Default::default()
    });
    let files = config::files(wanted);
    [data, tls].into_iter().flatten().chain(files.iter().map(config::Files::volume)).collect()
}

/// With SQLite the old pod ends before the new one starts, because two processes may not share the file. Otherwise pods overlap.
fn strategy(sqlite: bool) -> DeploymentStrategy {
    if sqlite {
        return DeploymentStrategy { type_: Some("Recreate".into()), rolling_update: None };
    }
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

fn spread(wanted: &Wanted) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(labelled(wanted)),
        ..Default::default()
    }
}

fn labelled(wanted: &Wanted) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&wanted.instance, name::SERVER)), ..Default::default() }
}
