//! Whether an image of PostgreSQL fits the data directory.
//!
//! A data directory belongs to one major version. A tag may tell the version of an image; where none does, a Job asks the images.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, Pod};
use operator_api::Reason;
use operator_runtime::carry_out::Condemned;
use operator_runtime::hash;
use operator_runtime::manifest::Manifest;
use operator_runtime::ownership::Lifetime;

use super::super::verdict::Verdict;
use super::super::wanted::Wanted;
use super::part::{Part, Scene, metadata};
use super::pod::{self, Maker, POSTGRES_USER};
use super::{job, keys, name};

/// Whether an image may be used for the data directory.
pub(super) enum Version {
    Fits,
    Differs { data: i32, image: i32 },
    Unknown { manifests: Vec<Manifest>, deletions: Vec<Condemned>, verdict: Verdict },
}

impl Version {
    pub(super) fn into_part(self, scene: &Scene<'_>, image: &str, live: Option<&str>) -> Part {
        match self {
            Self::Fits => Part::new(Verdict::good("")),
            Self::Differs { data, image: other } => {
                let class = kube::ResourceExt::name_any(&*scene.wanted.class);
                let running = live.map(|live| format!(" ({live} goes on)")).unwrap_or_default();
                let message = format!(
                    "PdsClass {class:?} names the image {image:?} with PostgreSQL {other}, and the data directory is of \
                     PostgreSQL {data}{running}; set the image back to {data}"
                );
                Part::new(Verdict::bad(Reason::DatabaseVersionMismatch, message))
            }
            Self::Unknown { manifests, deletions, verdict } => Part { manifests, deletions, ..Part::new(verdict) },
        }
    }
}

pub(super) fn of(scene: &Scene<'_>, image: &str, live_image: Option<&str>) -> Version {
    if live_image == Some(image) || scene.observed.volume.is_none() {
        return Version::Fits;
    }
    let status = scene.pds.status.as_ref();
    let recorded = status.and_then(|status| status.resolved.as_ref()?.postgres_major);
    let noted = || keys::noted(scene.observed.keys.as_deref(), keys::POSTGRES_MAJOR)?.parse().ok();
    let data = recorded.or_else(noted).or_else(|| major_of_tag(live_image?));
    if let (Some(data), Some(image)) = (data, major_of_tag(image)) {
        return if data == image { Version::Fits } else { Version::Differs { data, image } };
    }
    if data.is_none() && live_image.is_none() {
        // Nothing tells the version of the data; the start script compares it with the image and refuses another one.
        return Version::Fits;
    }
    let job = version_job(scene.wanted, image, live_image.filter(|_| data.is_none()));
    let asks_running = live_image.is_some() && data.is_none();
    let name = job.metadata.name.clone().unwrap_or_default();
    let live = scene.child::<Job>(&name);
    let pods = live
        .into_iter()
        .flat_map(|live| pod::of(&scene.observed.children, name::POSTGRES_VERSION, Maker::Object(&live.metadata)));
    // A pod that was cut off told nothing; another one of the Job may have.
    let told = pods.filter_map(|pod| told(pod, asks_running)).max();
    let unknown = |verdict| Version::Unknown {
        manifests: vec![Manifest::once(&job, Lifetime::Instance)],
        deletions: Vec::new(),
        verdict,
    };
    let silent = |image: &str| {
        let message = format!(
            "the image {image:?} does not tell its version: `postgres -V` failed in Job {name}; use an image that has \
             `postgres` in its PATH"
        );
        unknown(Verdict::bad(Reason::DatabaseVersionMismatch, message))
    };
    match told {
        Some((None, _)) => silent(image),
        Some((Some(found), running)) => match data.or(running) {
            Some(data) if data != found => Version::Differs { data, image: found },
            None if asks_running => silent(live_image.unwrap_or_default()),
            _ => Version::Fits,
        },
        None => {
            let title = format!("Job {name}");
            let failed = live.and_then(|live| job::failure(live).map(|why| (live, why)));
            if let Some((live, why)) = failed {
                let verdict = Verdict::bad(
                    Reason::ReconcileFailed,
                    format!("{title} failed: {why}; it is tried again after five minutes"),
                );
                return match job::condemned(live, scene.now()) {
                    Some(condemned) => Version::Unknown { manifests: Vec::new(), deletions: vec![condemned], verdict },
                    None => unknown(verdict),
                };
            }
            unknown(
                live.and_then(|live| pod::trouble(scene, name::POSTGRES_VERSION, &title, &live.metadata))
                    .unwrap_or_else(|| {
                        Verdict::bad(
                            Reason::WaitingForJob,
                            format!("{title} asks the new image of PostgreSQL for its version"),
                        )
                    }),
            )
        }
    }
}

/// The major version at the beginning of a tag: 17 of `postgres:17.2-alpine`.
fn major_of_tag(image: &str) -> Option<i32> {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let (_, tag) = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    let ends = tag[digits.len()..].chars().next().is_none_or(|next| matches!(next, '.' | '-' | '_'));
    digits.parse().ok().filter(|major| ends && (9..100).contains(major))
}

/// What the containers of a pod said that have all ended: the version of the new image, and of the running one if that is asked.
fn told(pod: &Pod, asks_running: bool) -> Option<(Option<i32>, Option<i32>)> {
    let said = |container: &str| {
        let status = pod::containers(pod).find(|status| status.name == container)?;
        let ended = status.state.as_ref()?.terminated.as_ref()?;
        Some(ended.message.as_deref().and_then(major_of_words))
    };
    Some((said("wanted")?, if asks_running { said("running")? } else { None }))
}

/// 17 of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`.
fn major_of_words(words: &str) -> Option<i32> {
    let rest = words.split_once("(PostgreSQL) ")?.1;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn version_job(wanted: &Wanted, image: &str, running: Option<&str>) -> Job {
    let container = |name: &str, image: &str| Container {
        name: name.into(),
        image: Some(image.into()),
        command: Some(["sh", "-c", "postgres -V >/dev/termination-log"].map(Into::into).into()),
        resources: Some(job::resources(wanted)),
        ..Default::default()
    };
    let hash = hash::of(&(image, running, job::placement(wanted)), 10);
    let template = pod::template(wanted, name::POSTGRES_VERSION, POSTGRES_USER, container("wanted", image));
    let template = pod::adjust(template, |spec| {
        spec.restart_policy = Some("Never".into());
        spec.containers.extend(running.map(|image| pod::prepared(container("running", image))));
    });
    Job {
        metadata: metadata(wanted, format!("{}-{hash}", name::postgres(&wanted.instance)), name::POSTGRES),
        spec: Some(JobSpec {
            backoff_limit: Some(1),
            active_deadline_seconds: Some(600),
            template,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The major version in a version number of PostgreSQL: 15 of 150018.
#[must_use]
pub fn major(version: i32) -> i32 {
    version / 10_000
}

/// A version number of PostgreSQL as people write it: 15.18 of 150018.
#[must_use]
pub fn version_text(version: i32) -> String {
    format!("{}.{}", major(version), version % 10_000)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_tag_tells_the_major_version_if_it_begins_with_one() {
        for (image, major) in [
            ("postgres:17", Some(17)),
            ("host:5000/postgres:15.3-alpine", Some(15)),
            ("postgres:17@sha256:ab", Some(17)),
            ("postgres", None),
            ("postgres:latest", None),
            ("postgres:15e2f3", None),
            ("host:5000/postgres", None),
            ("postgres:123456", None),
        ] {
            assert_eq!(major_of_tag(image), major, "{image}");
        }
    }

    #[test]
    fn postgres_tells_its_version() {
        assert_eq!(major_of_words("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of_words("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of_words("sh: postgres: not found"), None);
        assert_eq!((major(150_018), version_text(150_018).as_str()), (15, "15.18"));
    }
}
