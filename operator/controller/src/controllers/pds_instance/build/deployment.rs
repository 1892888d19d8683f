//! The PDS itself.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, Container, EnvFromSource, EnvVar, Lifecycle, LifecycleHandler,
    PersistentVolumeClaimVolumeSource, ResourceRequirements, SecretVolumeSource, SleepAction, TopologySpreadConstraint,
    Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::validate::{Blobs, Database, Validated};
use super::meta;
use super::pod::{self, SERVER_USER};
use crate::k8s::labels::{Component, selector};

/// The annotation that makes pods start anew when a Secret changes that they read at their start.
const SECRETS: &str = "auroralocus.dev/secrets-version";

pub(super) fn build(wanted: &Validated, config: &str, secrets: String) -> Deployment {
    let sqlite = matches!(wanted.database, Database::Sqlite { .. });
    let template = pod::template(wanted, Component::Pds, SERVER_USER, container(wanted, config));
    let mut template = pod::adjust(template, |spec| {
        spec.service_account_name = Some(wanted.names.0.clone());
        spec.termination_grace_period_seconds = Some(60);
        spec.node_selector = wanted.pod.node_selector.clone();
        spec.tolerations = wanted.pod.tolerations.clone();
        if !sqlite {
            spec.topology_spread_constraints = Some(vec![spread(wanted)]);
        }
        spec.volumes.get_or_insert_default().extend(volumes(wanted, sqlite));
    });
    template.metadata.get_or_insert_default().annotations = Some(BTreeMap::from([(SECRETS.into(), secrets)]));
    Deployment {
        metadata: meta::child(wanted, wanted.names.0.clone(), Component::Pds),
        spec: Some(DeploymentSpec {
            replicas: Some(wanted.replicas),
            revision_history_limit: Some(2),
            progress_deadline_seconds: Some(300),
            strategy: Some(strategy(sqlite)),
            selector: labelled(wanted),
            template,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn container(wanted: &Validated, config: &str) -> Container {
    let mut mounts = Vec::new();
    if matches!(wanted.database, Database::Sqlite { .. }) {
        mounts.push(pod::mount("data", "/data", false));
    }
    if wanted.tls.is_some() {
        mounts.push(pod::mount("tls", "/tls", true));
    }
    Container {
        name: "pds".into(),
        image: Some(wanted.image.clone()),
        args: Some(vec!["serve".into()]),
        env_from: Some(vec![EnvFromSource {
            config_map_ref: Some(ConfigMapEnvSource { name: config.into(), ..Default::default() }),
            ..Default::default()
        }]),
        env: Some(secrets(wanted)),
        ports: Some(vec![pod::port("xrpc", 2583), pod::port("metrics", 9464)]),
        startup_probe: Some(pod::http_probe("/livez", 1, 120)),
        liveness_probe: Some(pod::http_probe("/livez", 10, 3)),
        readiness_probe: Some(pod::http_probe("/readyz", 2, 2)),
        lifecycle: Some(Lifecycle {
            // Proxies learn of the leaving pod meanwhile.
            pre_stop: Some(LifecycleHandler { sleep: Some(SleepAction { seconds: 3 }), ..Default::default() }),
            ..Default::default()
        }),
        resources: Some(wanted.pod.resources.clone().unwrap_or_else(resources)),
        volume_mounts: Some(mounts),
        ..Default::default()
    }
}

fn secrets(wanted: &Validated) -> Vec<EnvVar> {
    let keys = wanted.names.keys();
    let mut env: Vec<_> = pod::database_env(wanted).into_iter().collect();
    env.extend(
        [
            ("PDS_JWT_SECRET", "jwtSecret"),
            ("PDS_ADMIN_PASSWORD", "adminPassword"),
            ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "plcRotationKey"),
            ("PDS_KEY_ENCRYPTION_KEY", "keyEncryptionKey"),
        ]
        .map(|(variable, key)| pod::secret_env(variable, &keys, key)),
    );
    if matches!(wanted.blobs, Blobs::S3 { .. }) {
        let s3 = wanted.names.s3();
        env.push(pod::secret_env("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", &s3, "accessKeyId"));
        env.push(pod::secret_env("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", &s3, "secretAccessKey"));
    }
    env
}

fn volumes(wanted: &Validated, sqlite: bool) -> Vec<Volume> {
    let data = sqlite.then(|| Volume {
        name: "data".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: wanted.names.sqlite_volume(),
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
    data.into_iter().chain(tls).collect()
}

/// Two processes may not share a SQLite file; others overlap, so that nobody is turned away.
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

fn spread(wanted: &Validated) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        label_selector: Some(labelled(wanted)),
        ..Default::default()
    }
}

fn labelled(wanted: &Validated) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&wanted.names.0, Component::Pds)), ..Default::default() }
}

fn resources() -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".into(), Quantity("50m".into())),
            ("memory".into(), Quantity("64Mi".into())),
        ])),
        ..Default::default()
    }
}
