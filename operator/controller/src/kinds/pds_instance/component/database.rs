//! The database: a PostgreSQL of the instance's own, one that exists, or SQLite.
//!
//! A data directory belongs to one major version of PostgreSQL. An image of another one is refused before a pod is replaced; where
//! neither tag tells the version, a Job asks the images.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, Lifecycle, LifecycleHandler, PersistentVolumeClaim, ResourceRequirements, SecretVolumeSource,
    Service, ServicePort, ServiceSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;
use operator_api::{ConditionType, Reason};
use operator_runtime::child::Child;
use operator_runtime::compare::{percent, same_amount};
use operator_runtime::labels::{all, selector};
use operator_runtime::manifest::Manifest;
use operator_runtime::ownership::Lifetime;
use operator_runtime::secret::Content;
use pds_config::DatabaseUrl;

use super::super::step::Step;
use super::super::verdict::Verdict;
use super::super::wanted::{Claim, Database, Wanted};
use super::part::{Component, Part, Scene, metadata, waiting};
use super::pod::{self, POSTGRES_USER};
use super::version::Version;
use super::{keys, name, rollout, version, volume};
use crate::rollouts::{Rolling, Workload};
use crate::scrape::COARSE;

/// Use of a volume in percent from which `StorageFilling` is reported. The size of PostgreSQL's write-ahead log is not counted.
const NEARLY_FULL: u8 = 85;

const START: &str = include_str!("postgres-start.sh");

/// Only the PDS's role, over the network, by password. Inside the pod the socket is open: a process there can read the files anyway.
const HBA: &str = "\
local all all                trust
host  pds pds all            scram-sha-256
";

/// `SIGTERM` would wait for every client to leave; `SIGINT` ends their sessions and loses nothing.
const STOP: &str =
    r#"read -r pid <"$PGDATA/postmaster.pid" && kill -INT "$pid"; while kill -0 "$pid"; do sleep 0.2; done"#;

/// Name of the volume of PostgreSQL, as the StatefulSet makes it.
#[must_use]
pub fn volume_name(instance: &str) -> String {
    format!("data-{instance}-pg-0")
}

fn headless_name(instance: &str) -> String {
    format!("{instance}-pg-headless")
}

/// The variables with the URL of the database; nothing for SQLite, which is in the data directory. Of `NAME-pg` only the password counts:
/// whoever may write the Secret does not choose the server.
pub(super) fn url_env(wanted: &Wanted) -> Vec<EnvVar> {
    const PASSWORD: &str = "DATABASE_PASSWORD";
    match &wanted.database {
        Database::Postgres { .. } => {
            let url = url(&wanted.instance, wanted.namespace(), &format!("$({PASSWORD})"));
            let url = EnvVar { name: "PDS_DATABASE_URL".into(), value: Some(url), ..Default::default() };
            vec![pod::secret_env(PASSWORD, &name::postgres(&wanted.instance), "password"), url]
        }
        Database::External { secret, key } => vec![pod::secret_env("PDS_DATABASE_URL", secret, key)],
        Database::Sqlite { .. } => Vec::new(),
    }
}

fn url(instance: &str, namespace: &str, password: &str) -> String {
    format!("postgres://pds:{password}@{}.{namespace}.svc:5432/pds", name::postgres(instance))
}

/// The rollout of a PostgreSQL that has its turn.
#[must_use]
pub fn rolling(live: &StatefulSet) -> Option<Rolling> {
    rollout::rolling(live, image_of(live), is_rolling(live), false)
}

/// What turns depend on of the StatefulSet of a PostgreSQL.
#[must_use]
pub fn workload(live: &StatefulSet) -> Workload {
    let ready = live.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let serving = image_of(live).filter(|_| !is_rolling(live) && ready >= 1);
    Workload {
        metadata: live.metadata.clone(),
        rolling: rolling(live),
        serving: serving.map(ToOwned::to_owned).into_iter().collect(),
        ready,
    }
}

fn is_rolling(live: &StatefulSet) -> bool {
    let status = live.status.clone().unwrap_or_default();
    status.observed_generation < live.metadata.generation || status.current_revision != status.update_revision
}

/// The data of a new Secret for PostgreSQL.
#[must_use]
pub fn generate(instance: &str, namespace: &str) -> BTreeMap<&'static str, String> {
    let password = keys::random_hex::<20>();
    // For people; pods are told the address by their template.
    let uri = url(instance, namespace, &password);
    BTreeMap::from([("password", password), ("uri", uri)])
}

/// Runs the PostgreSQL of the instance, or checks the URL of an external one, and sets `DatabaseReady`.
pub struct Postgres;

impl Component for Postgres {
    fn name(&self) -> &'static str {
        name::POSTGRES
    }

    fn condition(&self) -> ConditionType {
        ConditionType::DatabaseReady
    }

    fn children(&self) -> &'static [Child] {
        const FULL: &[&str] = &["create", "patch", "delete"];
        const CHILDREN: &[Child] = &[
            Child::whole::<StatefulSet>(FULL),
            Child::whole::<Service>(FULL),
            Child::whole::<Job>(&["create", "patch", "delete"]),
            Child::reduced::<PersistentVolumeClaim, volume::Essentials>(FULL),
        ];
        CHILDREN
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let needed = [ConditionType::HostnameClaimed, ConditionType::KeysReady, ConditionType::WorkloadAvailable];
        if let Some(obstacle) = scene.obstacle(&needed) {
            return Part::new(waiting("the database", obstacle));
        }
        let mut part = match &scene.wanted.database {
            Database::Postgres { image, volume, resources } => own(scene, image, volume, resources.as_ref()),
            Database::External { .. } => Part { is_complete: true, ..Part::new(external(scene)) },
            Database::Sqlite { .. } => Part { is_complete: true, ..Part::new(Verdict::good("SQLite on a volume")) },
        };
        let (step, complaint) = volume::follow(scene);
        part.steps.extend(step);
        let good = part.verdict.as_ref().is_some_and(|verdict| verdict.good);
        if let Some(complaint) = complaint.or_else(|| room(scene)).filter(|_| good) {
            part.verdict = Some(complaint);
        }
        part
    }
}

/// Reports a volume that is nearly full or full. Both facts come from the metrics of the PDS. `None` while there is room.
fn room(scene: &Scene<'_>) -> Option<Verdict> {
    let scrape = scene.observed.scrape.as_ref()?;
    let volume = match &scene.wanted.database {
        Database::Postgres { .. } => format!("PersistentVolumeClaim {}", volume_name(&scene.wanted.instance)),
        Database::Sqlite { .. } => format!("PersistentVolumeClaim {}", name::sqlite_volume(&scene.wanted.instance)),
        Database::External { .. } => "the volume of the external database".into(),
    };
    if scrape.database_full {
        let message = format!("{volume} is full: writes are refused, reads go on");
        return Some(Verdict::bad(Reason::StorageFull, message).bearable());
    }
    let used = match &scene.wanted.database {
        Database::Postgres { .. } => {
            let capacity = scene.observed.volume.as_ref().and_then(volume::capacity)?;
            percent(scrape.database_size? * COARSE, &capacity)?
        }
        Database::Sqlite { .. } => scrape.data_volume_percent?,
        Database::External { .. } => return None,
    };
    let message = format!("{volume} is nearly full ({used} % in use): raise its size, or writes will be refused");
    (used >= NEARLY_FULL).then(|| Verdict::warning(Reason::StorageFilling, message))
}

fn external(scene: &Scene<'_>) -> Verdict {
    let Database::External { secret, key } = &scene.wanted.database else { return Verdict::good("") };
    if let Some(problem) = scene.observed.references.problem("database.external.uriSecret") {
        return problem;
    }
    let text = scene.observed.references.database.as_ref().and_then(|content| content.text(key)).unwrap_or_default();
    match DatabaseUrl::parse(text) {
        Ok(url) if !url.is_sqlite() => Verdict::good(format!("Secret {secret} holds the URL of the database")),
        Ok(_) => invalid_url(secret, key, "is of SQLite"),
        Err(error) => invalid_url(secret, key, &error.to_string()),
    }
}

fn invalid_url(secret: &str, key: &str, why: &str) -> Verdict {
    let message = format!(
        "spec.database.external.uriSecret: Secret {secret}, key {key} (PDS_DATABASE_URL): {why}; allowed: {}",
        DatabaseUrl::FORM
    );
    Verdict::bad(Reason::CredentialsInvalid, message)
}

fn own(scene: &Scene<'_>, image: &str, volume: &Claim, resources: Option<&ResourceRequirements>) -> Part {
    let wanted = scene.wanted;
    let name = name::postgres(&wanted.instance);
    match &scene.observed.postgres_secret {
        None if scene.observed.volume.is_some() => {
            let message =
                format!("Secret {name} is gone, and the database exists that has its password; restore the Secret");
            return Part::new(Verdict::bad(Reason::CredentialsInvalid, message));
        }
        None => {
            let verdict = Verdict::bad(Reason::Progressing, format!("Secret {name} is being made"));
            return Part::new(verdict).with_step(Step::CreatePostgresSecret);
        }
        Some(secret) => {
            let password = secret.text("password").unwrap_or_default();
            let fit =
                (1..=128).contains(&password.len()) && password.chars().all(|letter| letter.is_ascii_alphanumeric());
            if !fit {
                let message =
                    format!("Secret {name} needs the key password, with at most 128 letters and digits; restore it");
                return Part::new(Verdict::bad(Reason::CredentialsInvalid, message));
            }
        }
    }
    let live = scene.child::<StatefulSet>(&name);
    let live_image = live.and_then(image_of);
    let version = version::of(scene, image, live_image);
    let image = match &version {
        Version::Fits => image,
        // What runs goes on with the image it has; without one nothing may start.
        _ => match live_image {
            Some(live) => live,
            None => return version.into_part(scene, image, None),
        },
    };
    let mut manifests: Vec<_> =
        services(wanted).iter().map(|service| Manifest::of(service, Lifetime::Instance)).collect();
    let set = stateful_set(scene, image, volume, resources, live);
    let set = rollout::manifest(&set);
    // The Job that told the version stays until the image that it allowed is in use.
    let is_complete = live_image.is_none_or(|live| live == image);
    let verdict = serves(scene, live);
    let needs_turn = live.is_some_and(|live| rollout::needs_turn(scene.pds, &set, live, verdict.good));
    let turn = needs_turn.then(|| image.to_owned());
    manifests.push(set);
    let is_leaving = |secret: &Content| secret.metadata.deletion_timestamp.is_some();
    let verdict = match &scene.observed.postgres_secret {
        Some(secret) if verdict.good && is_leaving(secret) => {
            Verdict::being_deleted(&format!("Secret {name}"), Lifetime::Data).bearable()
        }
        _ => verdict,
    };
    let serving = Part { manifests, is_complete, turn, ..Part::new(verdict) };
    match version {
        Version::Fits => serving,
        version => {
            let wanted_image = if let Database::Postgres { image, .. } = &wanted.database { image } else { image };
            let mut part = version.into_part(scene, wanted_image, live_image);
            // What runs goes on, and so does every edit that does not concern the image.
            if serving.verdict.as_ref().is_some_and(|verdict| verdict.good) {
                part.verdict = part.verdict.map(Verdict::bearable);
            }
            part.manifests.extend(serving.manifests);
            part.turn = serving.turn;
            part
        }
    }
}

fn serves(scene: &Scene<'_>, live: Option<&StatefulSet>) -> Verdict {
    let status = live.and_then(|live| live.status.as_ref());
    if status.and_then(|status| status.ready_replicas).unwrap_or(0) >= 1 {
        return Verdict::good("PostgreSQL serves");
    }
    let title = format!("StatefulSet {}", name::postgres(&scene.wanted.instance));
    live.and_then(|live| pod::trouble(scene, name::POSTGRES, &title, &live.metadata))
        .unwrap_or_else(|| Verdict::bad(Reason::WaitingForDatabase, "PostgreSQL's pod is not ready yet"))
}

fn image_of(set: &StatefulSet) -> Option<&str> {
    let template = set.spec.as_ref()?.template.spec.as_ref()?;
    template.containers.first()?.image.as_deref()
}

/// The Service that clients use, and the headless Service that gives the pod its DNS name.
fn services(wanted: &Wanted) -> [Service; 2] {
    let service = |name: String| Service {
        metadata: metadata(wanted, name, name::POSTGRES),
        spec: Some(ServiceSpec {
            selector: Some(selector(&wanted.instance, name::POSTGRES)),
            ip_family_policy: Some("PreferDualStack".into()),
            ports: Some(vec![ServicePort {
                name: Some("postgres".into()),
                port: 5432,
                target_port: Some(IntOrString::String("postgres".into())),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let client = service(name::postgres(&wanted.instance));
    let mut headless = service(headless_name(&wanted.instance));
    if let Some(spec) = &mut headless.spec {
        spec.cluster_ip = Some("None".into());
        spec.publish_not_ready_addresses = Some(true);
    }
    [client, headless]
}

fn stateful_set(
    scene: &Scene<'_>,
    image: &str,
    volume: &Claim,
    resources: Option<&ResourceRequirements>,
    live: Option<&StatefulSet>,
) -> StatefulSet {
    let wanted = scene.wanted;
    StatefulSet {
        metadata: metadata(wanted, name::postgres(&wanted.instance), name::POSTGRES),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            // Otherwise a pod that cannot start would never get a better template.
            pod_management_policy: Some("Parallel".into()),
            service_name: Some(headless_name(&wanted.instance)),
            selector: LabelSelector {
                match_labels: Some(selector(&wanted.instance, name::POSTGRES)),
                ..Default::default()
            },
            template: template(wanted, image, resources),
            volume_claim_templates: Some(claims(wanted, volume, live)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `volumeClaimTemplates` of the StatefulSet. The API server refuses to change them, so existing ones are kept; only the volume itself grows.
fn claims(wanted: &Wanted, volume: &Claim, live: Option<&StatefulSet>) -> Vec<PersistentVolumeClaim> {
    let there = live.and_then(|live| live.spec.as_ref()?.volume_claim_templates.as_ref()?.first());
    // The server writes an amount in its own way; the same amount is the same claim.
    let size = there.and_then(volume::size);
    let size = size.map(|size| if same_amount(&size, &volume.size) { volume.size.clone() } else { size });
    let class = there.and_then(|claim| claim.spec.as_ref()?.storage_class_name.clone());
    let volume = match size {
        Some(size) => Claim { size, storage_class_name: class, ..volume.clone() },
        None => volume.clone(),
    };
    let labels = Some(all(&wanted.instance, name::POSTGRES));
    vec![PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some("data".into()), labels, ..Default::default() },
        spec: Some(volume::spec(&volume)),
        ..Default::default()
    }]
}

fn template(
    wanted: &Wanted,
    image: &str,
    resources: Option<&ResourceRequirements>,
) -> k8s_openapi::api::core::v1::PodTemplateSpec {
    let container = Container {
        name: "postgres".into(),
        image: Some(image.into()),
        // In the workload itself: whoever may write ConfigMaps does not choose what runs.
        command: Some(vec!["sh".into(), "-c".into(), pod::literal(START)]),
        env: Some(vec![pod::env("PGDATA", "/data/pg"), pod::env("PG_HBA", HBA)]),
        ports: Some(vec![pod::port("postgres", 5432)]),
        readiness_probe: Some(pod::exec_probe(&["pg_isready", "-h", "/tmp", "-U", "pds", "-d", "pds"], 2, 3)),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { exec: Some(pod::exec(&["sh", "-c", STOP])), ..Default::default() }),
            ..Default::default()
        }),
        resources: Some(resources.cloned().unwrap_or_else(|| pod::requests("50m", "128Mi"))),
        volume_mounts: Some(vec![pod::mount("data", "/data", false), pod::mount("secret", "/secret", true)]),
        ..Default::default()
    };
    let template = pod::template(wanted, name::POSTGRES, POSTGRES_USER, container);
    pod::adjust(template, |spec| {
        spec.termination_grace_period_seconds = Some(60);
        let volumes = spec.volumes.get_or_insert_default();
        volumes.push(Volume {
            name: "secret".into(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(name::postgres(&wanted.instance)),
                ..Default::default()
            }),
            ..Default::default()
        });
    })
}
