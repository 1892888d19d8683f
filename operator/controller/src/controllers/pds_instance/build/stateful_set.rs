//! PostgreSQL.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EnvVar, Lifecycle, LifecycleHandler, PersistentVolumeClaim, ResourceRequirements,
    SecretVolumeSource, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ObjectMeta;

use super::super::validate::{Claim, Validated};
use super::pod::{self, POSTGRES_USER};
use super::{meta, volume_claim};
use crate::k8s::hash;
use crate::k8s::labels::{Component, all, selector};

/// `SIGTERM` would wait for every client to leave; `SIGINT` ends their sessions and loses nothing.
const STOP: &str =
    r#"read -r pid <"$PGDATA/postmaster.pid" && kill -INT "$pid"; while kill -0 "$pid"; do sleep 0.2; done"#;

pub(super) fn build(wanted: &Validated, image: &str, volume: &Claim, existing: Option<&StatefulSet>) -> StatefulSet {
    let name = wanted.names.postgres();
    let component = Component::Postgres;
    StatefulSet {
        metadata: meta::child(wanted, name.clone(), component),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            // Otherwise a pod that cannot start would never get a better template.
            pod_management_policy: Some("Parallel".into()),
            service_name: Some(wanted.names.postgres_headless()),
            selector: LabelSelector { match_labels: Some(selector(&wanted.names.0, component)), ..Default::default() },
            template: template(wanted, image),
            volume_claim_templates: Some(claims(wanted, volume, existing)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The API server refuses other claims than those at creation, so they stay what they are.
fn claims(wanted: &Validated, volume: &Claim, existing: Option<&StatefulSet>) -> Vec<PersistentVolumeClaim> {
    let there = existing.and_then(|there| there.spec.as_ref()?.volume_claim_templates.as_ref()?.first());
    let there = there.and_then(|claim| claim.spec.as_ref());
    let size = there.and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage").cloned());
    let volume = match (there, size) {
        (Some(spec), Some(size)) => Claim { size: size.0, storage_class_name: spec.storage_class_name.clone() },
        _ => volume.clone(),
    };
    let labels = Some(all(&wanted.names.0, Component::Postgres));
    vec![PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some("data".into()), labels, ..Default::default() },
        spec: Some(volume_claim::spec(&volume)),
        ..Default::default()
    }]
}

fn template(wanted: &Validated, image: &str) -> k8s_openapi::api::core::v1::PodTemplateSpec {
    let name = wanted.names.postgres();
    let container = Container {
        name: "postgres".into(),
        image: Some(image.into()),
        command: Some(vec!["sh".into(), "/config/start.sh".into()]),
        env: Some(vec![EnvVar { name: "PGDATA".into(), value: Some("/data/pg".into()), ..Default::default() }]),
        ports: Some(vec![pod::port("postgres", 5432)]),
        readiness_probe: Some(pod::exec_probe(&["pg_isready", "-h", "127.0.0.1", "-U", "pds", "-d", "pds"], 2, 3)),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { exec: Some(pod::exec(&["sh", "-c", STOP])), ..Default::default() }),
            ..Default::default()
        }),
        resources: Some(ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".into(), Quantity("50m".into())),
                ("memory".into(), Quantity("128Mi".into())),
            ])),
            ..Default::default()
        }),
        volume_mounts: Some(vec![
            pod::mount("data", "/data", false),
            pod::mount("config", "/config", true),
            pod::mount("secret", "/secret", true),
        ]),
        ..Default::default()
    };
    let files = super::config_map::postgres(wanted).data;
    let template = pod::template(wanted, Component::Postgres, POSTGRES_USER, container);
    let mut template = pod::adjust(template, |spec| {
        spec.service_account_name = Some(wanted.names.0.clone());
        spec.termination_grace_period_seconds = Some(60);
        let volumes = spec.volumes.get_or_insert_default();
        volumes.push(Volume {
            name: "config".into(),
            config_map: Some(ConfigMapVolumeSource { name: name.clone(), ..Default::default() }),
            ..Default::default()
        });
        volumes.push(Volume {
            name: "secret".into(),
            secret: Some(SecretVolumeSource { secret_name: Some(name), ..Default::default() }),
            ..Default::default()
        });
    });
    let annotations = BTreeMap::from([("auroralocus.dev/config-hash".to_owned(), hash::of(&files, 16))]);
    template.metadata.get_or_insert_default().annotations = Some(annotations);
    template
}
