//! Judges how far each stage came.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use operator_api::{PdsInstance, Provisioner as Kind};

use super::observe::Observed;
use super::reason::Reason;
use super::secrets;
use super::status::Stage;
use super::validate::{Blobs, Database, Validated};
use crate::context::Ctx;
use crate::k8s::apply::{APPLIED_HASH, delete_exactly, find};
use crate::k8s::hash;
use crate::provision::{self, of_class};

/// How long a bucket is taken to be as it was.
const BUCKET_CHECK: Duration = Duration::from_secs(600);
/// How long a failed migration stays for people to look at, before it is tried again.
const FAILED_JOB_STAYS: i64 = 300;

/// The keys: made once, and never while there is data that needs others.
pub(super) async fn keys(
    ctx: &Ctx,
    pds: &PdsInstance,
    wanted: &Validated,
    observed: &Observed,
) -> kube::Result<(Stage, Option<String>)> {
    let name = wanted.names.keys();
    let known = pds.status.as_ref().and_then(|status| status.keys.as_ref()?.fingerprint.clone());
    let secret = match &observed.keys {
        Some(secret) => secret.clone(),
        None if known.is_some() || observed.volume.is_some() => {
            let message =
                format!("Secret {name} is gone, but the data that needs it is there; restore it from a backup");
            return Ok((Stage::bad(Reason::KeySecretMissing, message), known));
        }
        None => secrets::create_keys(ctx, wanted).await?,
    };
    let data = secret.data.clone().unwrap_or_default();
    if let Some(key) = secrets::KEYS.iter().find(|key| !data.contains_key(**key)) {
        return Ok((Stage::bad(Reason::KeySecretMissing, format!("Secret {name} has no key {key}")), known));
    }
    let found = secrets::fingerprint(&secret);
    if known.as_ref().is_some_and(|known| *known != found) {
        let message = format!("Secret {name} holds other keys than before; restore it from a backup");
        return Ok((Stage::bad(Reason::KeySecretMissing, message), known));
    }
    Ok((Stage::good("the keys are there"), Some(found)))
}

/// PostgreSQL's password: why it cannot be had, if so.
pub(super) async fn postgres_secret(ctx: &Ctx, wanted: &Validated, observed: &Observed) -> kube::Result<Option<Stage>> {
    let name = wanted.names.postgres();
    if observed.postgres_secret.is_none() {
        if observed.volume.is_some() {
            let message = format!("Secret {name} is gone, but the database that has its password is there; restore it");
            return Ok(Some(Stage::bad(Reason::CredentialsInvalid, message)));
        }
        secrets::create_postgres(ctx, wanted).await?;
    }
    Ok(None)
}

/// Whether PostgreSQL serves.
pub(super) fn postgres(live: &StatefulSet) -> Stage {
    let ready = live.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    if ready >= 1 {
        Stage::good("PostgreSQL serves")
    } else {
        Stage::bad(Reason::WaitingForDatabase, "PostgreSQL's pod is not ready")
    }
}

/// Whether the URL of an existing database is there.
pub(super) fn external(observed: &Observed) -> Stage {
    match observed.references.missing.iter().find(|missing| missing.contains("uriSecret")) {
        Some(missing) => Stage::bad(Reason::CredentialsInvalid, missing.clone()),
        None => Stage::good("the URL of the database is there"),
    }
}

/// Secrets that the pods would wait for, or whose content is not seen yet.
pub(super) fn references(wanted: &Validated, observed: &Observed) -> Option<Stage> {
    if let Some(missing) = observed.references.missing.first() {
        return Some(Stage::bad(Reason::CredentialsInvalid, missing.clone()));
    }
    let seen = [
        observed.keys.is_some(),
        observed.postgres_secret.is_some() || !matches!(wanted.database, Database::Postgres { .. }),
        observed.s3_secret.is_some() || !matches!(wanted.blobs, Blobs::S3 { .. }),
    ];
    // They were made just now; the next reconciliation, which their making brings, knows them.
    let unseen = || Stage::bad(Reason::Progressing, "the Secrets of the pods are being made");
    (!seen.into_iter().all(|seen| seen)).then(unseen)
}

/// The bucket, the credential and its rights.
pub(super) async fn blobs(ctx: &Ctx, wanted: &Validated, observed: &Observed) -> Stage {
    let Blobs::S3 { bucket, owner, class } = &wanted.blobs else { return Stage::good("blobs are on the volume") };
    let admin = observed.s3_admin.as_ref().and_then(secrets::credential);
    let Some(admin) = admin else {
        let secret = format!("{}/{}", ctx.namespace, class.admin_secret_name);
        let message = format!("there is no Secret {secret} with the keys accessKeyId and secretAccessKey");
        return Stage::bad(Reason::CredentialsInvalid, message);
    };
    let good = Stage::good(format!("bucket {bucket}"));
    let there = observed.s3_secret.as_ref();
    let versions = (
        there.and_then(ResourceExt::resource_version),
        observed.s3_admin.as_ref().and_then(ResourceExt::resource_version),
    );
    let check =
        |versions: &(Option<String>, Option<String>)| hash::of(&(&wanted.owner.uid, bucket, class, versions), 32);
    if there.is_some() && ctx.checked_buckets.get(&check(&versions), BUCKET_CHECK).is_some() {
        return good;
    }
    let provisioner = of_class(class, admin);
    let result = async {
        provisioner.ensure_bucket(bucket, owner).await?;
        let kept = there.and_then(secrets::credential).filter(|kept| provisioner.accepts(kept));
        let credential = match kept {
            Some(credential) => credential,
            None => {
                let fresh = provisioner.new_credential(bucket);
                let made = secrets::replace_s3(ctx, wanted, there, &fresh).await;
                let made = made.map_err(|error| service("write the bucket's Secret", &error))?;
                secrets::credential(&made).unwrap_or(fresh)
            }
        };
        provisioner.ensure_credential(bucket, &credential).await?;
        provisioner.ensure_policy(bucket, &credential).await
    };
    match result.await {
        Ok(()) => {
            ctx.checked_buckets.put(check(&versions), ());
            good
        }
        Err(error @ provision::Error::NotOwned { .. }) => Stage::bad(Reason::BucketNotOwned, error.to_string()),
        Err(error @ provision::Error::Refused { .. }) if class.provisioner == Kind::Static => {
            Stage::bad(Reason::CredentialsInvalid, error.to_string())
        }
        Err(error) => Stage::bad(Reason::ReconcileFailed, error.to_string()),
    }
}

fn service(what: &'static str, error: &kube::Error) -> provision::Error {
    provision::Error::Service { what, message: error.to_string() }
}

/// The migration: begun when the database serves, done for good once complete.
pub(super) async fn schema(ctx: &Ctx, namespace: &str, mut job: Job, database: &Stage) -> kube::Result<Stage> {
    let api = Api::<Job>::namespaced(ctx.client.clone(), namespace);
    let name = job.name_any();
    let live = match find::<Job>(ctx, namespace, &name).await? {
        Some(live) => live,
        None if !database.good => {
            return Ok(Stage::bad(Reason::WaitingForDatabase, "the migration waits for the database"));
        }
        None => {
            // A Job's template cannot change, so it is created and never applied again.
            let hash = hash::of(&job, 32);
            job.annotations_mut().insert(APPLIED_HASH.into(), hash);
            match api.create(&PostParams::default(), &job).await {
                Err(kube::Error::Api(status)) if status.code == 409 => api.get(&name).await?,
                other => other?,
            }
        }
    };
    let conditions = live.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|found| found.type_ == kind && found.status == "True");
    if holds("Complete").is_some() {
        return Ok(Stage::good(format!("Job {name} is complete")));
    }
    let Some(failed) = holds("Failed") else {
        return Ok(Stage::bad(Reason::WaitingForJob, format!("Job {name} runs")));
    };
    let since = failed.last_transition_time.as_ref().map_or(Timestamp::now(), |time| time.0);
    if Timestamp::now().as_second().saturating_sub(since.as_second()) > FAILED_JOB_STAYS {
        delete_exactly(&api, &live).await?;
    }
    let why = failed.message.clone().unwrap_or_default();
    Ok(Stage::bad(Reason::MigrationFailed, format!("Job {name} failed: {why}; it is tried again after five minutes")))
}

/// Whether the server runs, and whether all of it is as wanted.
pub(super) fn workload(live: Option<&Deployment>, replicas: i32) -> (Stage, bool) {
    let Some(live) = live else { return (Stage::bad(Reason::Progressing, "the pods are not made yet"), false) };
    let status = live.status.clone().unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or(0);
    let (updated, available) = (count(status.updated_replicas), count(status.available_replicas));
    let current = status.observed_generation == live.metadata.generation;
    let complete = current && updated == replicas && available >= replicas && count(status.replicas) == replicas;
    if replicas == 0 {
        return (Stage::bad(Reason::Progressing, "spec.replicas is 0"), complete);
    }
    let message = format!("{available} of {replicas} pods serve");
    let stage = if available >= 1 { Stage::good(message) } else { Stage::bad(Reason::Progressing, message) };
    (stage, complete)
}

/// The engine as the status names it, and its Secret.
pub(super) fn engine(wanted: &Validated) -> (&'static str, Option<String>) {
    match &wanted.database {
        Database::Postgres { .. } => ("Postgres", Some(wanted.names.postgres())),
        Database::External { secret, .. } => ("External", Some(secret.clone())),
        Database::Sqlite { .. } => ("Sqlite", None),
    }
}
