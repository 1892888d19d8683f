//! The migration of the schema: a Job, once per image and database.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, EnvVar, Pod};
use kube::ResourceExt;
use operator_api::{ConditionType, Reason};
use operator_runtime::child::Child;
use operator_runtime::hash;
use operator_runtime::manifest::Manifest;
use operator_runtime::ownership::Lifetime;
use serde::Deserialize;

use super::super::verdict::Verdict;
use super::super::wanted::Database;
use super::part::{Component, Facts, Part, Scene, metadata, waiting};
use super::pod::{self, Maker, SERVER_USER};
use super::{config, database, job, keys, name};

/// Exit code of `pds migrate` for an error that a retry cannot remove, such as wrong keys or a refused login (`EX_CONFIG`).
const REFUSED: i32 = 78;

/// What `pds migrate --report` writes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Report {
    postgres_version: Option<i32>,
    error: Option<ReportedError>,
}

#[derive(Debug, Deserialize)]
struct ReportedError {
    reason: String,
    message: String,
}

/// Runs `pds migrate` as a Job per image and database, and sets `SchemaMigrated`. SQLite needs no Job.
pub struct Migration;

impl Component for Migration {
    fn name(&self) -> &'static str {
        name::MIGRATE
    }

    fn condition(&self) -> ConditionType {
        ConditionType::SchemaMigrated
    }

    fn children(&self) -> &'static [Child] {
        const CHILDREN: &[Child] = &[Child::whole::<Job>(&["create", "patch", "delete"])];
        CHILDREN
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        if scene.wanted.is_sqlite() {
            return Part { is_complete: true, ..Part::new(Verdict::good("SQLite migrates itself at the start")) };
        }
        let job = job(scene);
        let name = job.name_any();
        let live = scene.child::<Job>(&name);
        let manifest = Manifest::once(&job, Lifetime::Instance);
        let Some(live) = live else {
            let needed = [
                ConditionType::HostnameClaimed,
                ConditionType::KeysReady,
                ConditionType::WorkloadAvailable,
                ConditionType::DatabaseReady,
            ];
            return match scene.obstacle(&needed) {
                Some(obstacle) => Part::new(waiting("the migration", obstacle)),
                None => {
                    let verdict = Verdict::bad(Reason::WaitingForJob, format!("Job {name} is being made"));
                    Part { manifests: vec![manifest], is_complete: true, ..Part::new(verdict) }
                }
            };
        };
        let pods = pod::of(&scene.observed.children, name::MIGRATE, Maker::Object(&live.metadata));
        // The one that succeeded, whatever the clocks of nodes say; otherwise the newest.
        let rank = |status: &&ContainerStatus| (succeeded(status), ended(status).map(|(at, _)| at));
        let status = pods.filter_map(container).max_by_key(rank);
        let report = status.as_ref().and_then(|status| ended(status)).map(|(_, report)| report).unwrap_or_default();
        let mut part =
            Part { manifests: vec![manifest], is_complete: true, ..Part::new(verdict(scene, live, &name, &report)) };
        if part.verdict.as_ref().is_some_and(|verdict| verdict.good) {
            part.facts = Facts {
                postgres_version: report.postgres_version,
                image_digest: status.and_then(digest),
                ..Facts::default()
            };
        }
        if part.verdict.as_ref().is_some_and(|verdict| verdict.reason == Reason::MigrationFailed)
            && let Some(condemned) = job::condemned(live, scene.now())
        {
            part.manifests.clear();
            part.deletions.push(condemned);
            part.is_complete = false;
        }
        part
    }
}

fn verdict(scene: &Scene<'_>, live: &Job, name: &str, report: &Report) -> Verdict {
    if job::condition(live, "Complete").is_some() {
        return Verdict::good(format!("Job {name} is complete"));
    }
    if let Some(why) = job::failure(live) {
        if let Some(error) = &report.error {
            let reason = match error.reason.as_str() {
                "KeysMismatch" => Reason::KeysMismatch,
                "InvalidSettings" => Reason::CredentialsInvalid,
                _ => Reason::MigrationFailed,
            };
            return Verdict::bad(reason, format!("Job {name}: {}", error.message));
        }
        return Verdict::bad(
            Reason::MigrationFailed,
            format!("Job {name} failed: {why}; it is tried again after five minutes"),
        );
    }
    pod::trouble(scene, name::MIGRATE, &format!("Job {name}"), &live.metadata).unwrap_or_else(|| {
        let trouble = report.error.as_ref().map(|error| format!("; the last try ended: {}", error.message));
        Verdict::bad(Reason::WaitingForJob, format!("Job {name} runs{}", trouble.unwrap_or_default()))
    })
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod::containers(pod).find(|status| status.name == "migrate")
}

fn succeeded(status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.is_some_and(|ended| ended.exit_code == 0)
}

fn ended(status: &ContainerStatus) -> Option<(Timestamp, Report)> {
    let ended = status.state.as_ref()?.terminated.as_ref()?;
    let at = ended.finished_at.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let report = ended.message.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Some((at, report.unwrap_or_default()))
}

/// The digest that a node resolved an image to, with or without a repository before it.
fn digest(status: &ContainerStatus) -> Option<String> {
    let id = status.image_id.as_str();
    id.rfind("sha256:").map(|at| id[at..].to_owned())
}

fn job(scene: &Scene<'_>) -> Job {
    let (wanted, observed) = (scene.wanted, scene.observed);
    let database = database::url_env(wanted);
    // Another URL may be another database, and the Job checks that the data belongs to the keys. So a Job that failed for the URL or
    // the keys is made anew when they are restored. The keys keep the URL from being guessed.
    let url =
        observed.references.database.as_ref().or(observed.postgres_secret.as_ref()).map(|content| &content.values);
    let rotation = if wanted.kms.is_some() { "plcRotationKmsKeyId" } else { "plcRotationKey" };
    let keys = [rotation, "keyEncryptionKey"];
    let keys = observed.keys.as_ref().map(|content| keys.map(|key| content.values.get(key)));
    let placement = job::placement(wanted);
    // An external database may have a certificate of the class's own authority.
    let is_external = matches!(wanted.database, Database::External { .. });
    let ca: Vec<EnvVar> = config::ca_env(wanted).filter(|_| is_external).collect();
    let certificates = config::certificates(wanted).filter(|_| is_external);
    let named = |digest: Option<&str>| {
        let hash = hash::of(&(&wanted.image, digest, &database, &url, &keys, &placement, &ca), 10);
        format!("{}-migrate-{hash}", wanted.instance)
    };
    let name = match other_digest(scene) {
        Some(digest) => named(Some(&digest)),
        None => {
            let recorded = scene.pds.status.as_ref().and_then(|status| status.image_digest.as_deref());
            let again = named(recorded);
            if recorded.is_some() && scene.child::<Job>(&again).is_some() { again } else { named(None) }
        }
    };
    let container = Container {
        name: "migrate".into(),
        image: Some(wanted.image.clone()),
        args: Some(["migrate", "--report", "/dev/termination-log"].map(Into::into).into()),
        volume_mounts: certificates.as_ref().map(|files| vec![files.mount()]),
        env: Some(database.into_iter().chain(keys::env(wanted)).chain(ca).collect()),
        resources: Some(job::resources(wanted)),
        ..Default::default()
    };
    let template = pod::template(wanted, name::MIGRATE, SERVER_USER, container);
    let template = pod::adjust(template, |spec| {
        spec.restart_policy = Some("Never".into());
        spec.volumes.get_or_insert_default().extend(certificates.iter().map(config::Files::volume));
    });
    let refused = PodFailurePolicyRule {
        action: "FailJob".into(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some("migrate".into()),
            operator: "In".into(),
            values: vec![REFUSED],
        }),
        ..Default::default()
    };
    Job {
        metadata: metadata(wanted, name, name::MIGRATE),
        spec: Some(JobSpec {
            backoff_limit: Some(5),
            active_deadline_seconds: Some(3600),
            pod_failure_policy: Some(PodFailurePolicy { rules: vec![refused] }),
            template,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A digest that a running pod of the server has and the migration had not: a tag can be moved to another image.
fn other_digest(scene: &Scene<'_>) -> Option<String> {
    let status = scene.pds.status.as_ref()?;
    let migrated = status.image_digest.as_ref()?;
    if status.image.as_ref() != Some(&scene.wanted.image) || scene.wanted.image.contains('@') {
        return None;
    }
    let maker = Maker::Deployment(&scene.wanted.instance);
    let running = pod::of(&scene.observed.children, name::SERVER, maker).flat_map(pod::containers);
    // A node writes the name of an image in full.
    let wanted = full_name(&scene.wanted.image);
    let running = running.filter(|status| status.name == "pds" && full_name(&status.image) == wanted);
    let digests: BTreeSet<String> = running.filter_map(digest).collect();
    digests.into_iter().find(|digest| digest != migrated)
}

/// The name of an image with registry, path and tag, as nodes write it: `docker.io/library/pds:latest` for `pds`.
fn full_name(image: &str) -> String {
    let (name, rest) = match image.rsplit_once(['@', ':']) {
        Some((name, rest)) if !rest.contains('/') => (name, &image[name.len()..]),
        _ => (image, ":latest"),
    };
    let has_registry =
        name.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
    match (has_registry, name.contains('/')) {
        (true, _) => format!("{name}{rest}"),
        (false, true) => format!("docker.io/{name}{rest}"),
        (false, false) => format!("docker.io/library/{name}{rest}"),
    }
}

#[cfg(test)]
mod unit {
    use super::full_name;

    #[test]
    fn an_image_has_one_full_name() {
        for (image, name) in [
            ("pds", "docker.io/library/pds:latest"),
            ("pds:1", "docker.io/library/pds:1"),
            ("team/pds:1", "docker.io/team/pds:1"),
            ("docker.io/library/pds:1", "docker.io/library/pds:1"),
            ("localhost/pds:1", "localhost/pds:1"),
            ("host:5000/pds", "host:5000/pds:latest"),
            ("host.test/a/pds:1", "host.test/a/pds:1"),
        ] {
            assert_eq!(full_name(image), name, "{image}");
        }
    }
}
