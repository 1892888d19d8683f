//! What the pods have in common.

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, ExecAction, HTTPGetAction, PodSpec,
    PodTemplateSpec, Probe, SecretKeySelector, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use super::super::validate::{Database, Validated};
use crate::k8s::labels::{Component, all};
use crate::k8s::security;

/// The user of PostgreSQL.
pub const POSTGRES_USER: i64 = 999;
/// The user of the PDS.
pub const SERVER_USER: i64 = 65532;

/// A pod of the `restricted` profile, without a token, with a `/tmp` of its own.
pub(super) fn template(wanted: &Validated, component: Component, user: i64, container: Container) -> PodTemplateSpec {
    let mut container = Container { security_context: Some(security::container()), ..container };
    container.volume_mounts.get_or_insert_default().push(mount("tmp", "/tmp", false));
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(all(&wanted.names.0, component)), ..Default::default() }),
        spec: Some(PodSpec {
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(security::pod(user)),
            containers: vec![container],
            volumes: Some(vec![Volume {
                name: "tmp".into(),
                empty_dir: Some(EmptyDirVolumeSource::default()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
    }
}

/// Adds to the pod of a template.
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

/// Where the database is; nothing for SQLite, which is in the data directory.
pub(super) fn database_env(wanted: &Validated) -> Option<EnvVar> {
    match &wanted.database {
        Database::Postgres { .. } => Some(secret_env("PDS_DATABASE_URL", &wanted.names.postgres(), "uri")),
        Database::External { secret, key } => Some(secret_env("PDS_DATABASE_URL", secret, key)),
        Database::Sqlite { .. } => None,
    }
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
