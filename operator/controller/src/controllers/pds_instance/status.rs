//! What people and tools read about an instance.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use operator_api::{BlobStoreStatus, DatabaseStatus, KeysStatus, PdsInstance, PdsInstanceStatus};
use serde_json::json;

use super::apply::Applied;
use super::reason::Reason;
use super::validate::{Blobs, Refusal, Validated};
use super::{accounts, stages};
use crate::context::Ctx;

const MANAGER: &str = "aurora-locus-operator-status";

/// Whether something is as it should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Whether it is.
    pub good: bool,
    /// Why.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl Stage {
    /// It is.
    pub fn good(message: impl Into<String>) -> Self {
        Self { good: true, reason: Reason::AsExpected, message: message.into() }
    }

    /// It is not.
    pub fn bad(reason: Reason, message: impl Into<String>) -> Self {
        Self { good: false, reason, message: message.into() }
    }
}

/// Reports how far it came.
///
/// # Errors
/// What the API server answers.
pub async fn update(ctx: &Ctx, pds: &PdsInstance, wanted: &Validated, applied: &Applied) -> kube::Result<()> {
    let mut status = begin(pds);
    let class = Stage::good(format!("PdsClass {}", wanted.class_name));
    let mut list = vec![("ClassAccepted", class)];
    list.extend(applied.stages().map(|(kind, stage)| (kind, stage.clone())));
    let was_ready = status.conditions.iter().any(|found| found.type_ == "Ready" && found.status == "True");
    summarize(&mut list, applied.complete, was_ready);
    set(pds, &mut status, &list);

    let deployment = applied.deployment.as_ref().and_then(|deployment| deployment.status.clone()).unwrap_or_default();
    let ready = deployment.ready_replicas.unwrap_or(0);
    let (engine, secret_name) = stages::engine(wanted);
    let bucket = if let Blobs::S3 { bucket, .. } = &wanted.blobs { Some(bucket.clone()) } else { None };
    status.url = Some(wanted.url.clone());
    status.class_name = Some(wanted.class_name.clone());
    status.replicas = Some(wanted.replicas);
    status.ready_replicas = Some(ready);
    status.database = Some(DatabaseStatus { engine: engine.into(), secret_name });
    if applied.blobs.good {
        status.blob_store = Some(BlobStoreStatus { bucket });
    }
    if applied.fingerprint.is_some() {
        let fingerprint = applied.fingerprint.clone();
        status.keys = Some(KeysStatus { secret_name: wanted.names.keys(), fingerprint });
    }
    if applied.complete {
        status.version = version(&wanted.image);
        status.image = Some(wanted.image.clone());
    }
    if let Some(accounts) = accounts::count(ctx, wanted, ready).await {
        status.accounts = Some(accounts);
    }
    write(ctx, pds, status).await
}

/// Reports a spec that cannot be; what runs goes on running.
///
/// # Errors
/// What the API server answers.
pub async fn refused(ctx: &Ctx, pds: &PdsInstance, refusal: &Refusal) -> kube::Result<()> {
    let mut status = begin(pds);
    let stage = Stage::bad(refusal.reason, refusal.message.clone());
    let mut list = Vec::new();
    if refusal.reason == Reason::ClassNotFound {
        list.push(("ClassAccepted", stage.clone()));
    }
    list.push(("Ready", stage.clone()));
    list.push(("Reconciling", Stage::bad(refusal.reason, refusal.message.clone())));
    list.push(("Stalled", Stage { good: true, ..stage }));
    set(pds, &mut status, &list);
    write(ctx, pds, status).await
}

/// Reports that nothing is done.
///
/// # Errors
/// What the API server answers.
pub async fn paused(ctx: &Ctx, pds: &PdsInstance) -> kube::Result<()> {
    let mut status = begin(pds);
    set(pds, &mut status, &[("Reconciling", Stage::bad(Reason::Paused, "spec.paused is true"))]);
    write(ctx, pds, status).await
}

/// Reports why an instance cannot end yet.
///
/// # Errors
/// What the API server answers.
pub async fn stuck(ctx: &Ctx, pds: &PdsInstance, why: &str) -> kube::Result<()> {
    let mut status = begin(pds);
    let stage = Stage::bad(Reason::CleanupFailed, why);
    set(pds, &mut status, &[("Ready", stage.clone()), ("Reconciling", Stage { good: true, ..stage })]);
    write(ctx, pds, status).await
}

fn begin(pds: &PdsInstance) -> PdsInstanceStatus {
    let mut status = pds.status.clone().unwrap_or_default();
    status.observed_generation = pds.metadata.generation;
    status
}

/// Adds Ready, Reconciling and Stalled.
fn summarize(list: &mut Vec<(&'static str, Stage)>, complete: bool, was_ready: bool) {
    let worst = list.iter().map(|(_, stage)| stage).find(|stage| !stage.good && stage.reason.is_stalled());
    let stalled = worst.cloned();
    let bad = stalled.clone().or_else(|| list.iter().map(|(_, stage)| stage).find(|stage| !stage.good).cloned());
    let rolling = || Stage::bad(Reason::Progressing, "pods are being replaced or started");
    let ready = match (&bad, complete || was_ready) {
        (Some(bad), _) => bad.clone(),
        (None, false) => rolling(),
        (None, true) => Stage::good("everything runs"),
    };
    let working = bad.clone().filter(|_| stalled.is_none()).or_else(|| (!complete && stalled.is_none()).then(rolling));
    let stopped = complete && bad.as_ref().is_some_and(|bad| bad.reason == Reason::Progressing);
    let reconciling = match working {
        Some(stage) if !stopped => Stage { good: true, ..stage },
        _ => Stage::bad(Reason::AsExpected, "nothing is left to do"),
    };
    let stalled = match stalled {
        Some(stage) => Stage { good: true, ..stage },
        None => Stage::bad(Reason::AsExpected, "nothing needs a person"),
    };
    list.extend([("Ready", ready), ("Reconciling", reconciling), ("Stalled", stalled)]);
}

/// Sets conditions; the time of one moves only with its status.
fn set(pds: &PdsInstance, status: &mut PdsInstanceStatus, list: &[(&'static str, Stage)]) {
    for (kind, stage) in list {
        let value = if stage.good { "True" } else { "False" };
        let mut message = stage.message.clone();
        message.truncate(message.floor_char_boundary(1024));
        let old = status.conditions.iter().find(|found| found.type_ == *kind && found.status == value);
        let since = old.map_or_else(|| Time(Timestamp::now()), |old| old.last_transition_time.clone());
        let condition = Condition {
            type_: (*kind).into(),
            status: value.into(),
            reason: stage.reason.as_str().into(),
            message,
            last_transition_time: since,
            observed_generation: pds.metadata.generation,
        };
        match status.conditions.iter_mut().find(|found| found.type_ == *kind) {
            Some(found) => *found = condition,
            None => status.conditions.push(condition),
        }
    }
}

/// Writes the status if it says something new, and tells people.
async fn write(ctx: &Ctx, pds: &PdsInstance, status: PdsInstanceStatus) -> kube::Result<()> {
    let old = pds.status.clone().unwrap_or_default();
    if old == status {
        return Ok(());
    }
    let namespace = pds.namespace().unwrap_or_default();
    let api = Api::<PdsInstance>::namespaced(ctx.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": PdsInstance::api_version(&()), "kind": PdsInstance::kind(&()), "status": &status,
    });
    api.patch_status(&pds.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(patch)).await?;
    for condition in &status.conditions {
        let same = |old: &&Condition| old.type_ == condition.type_;
        let before = old.conditions.iter().find(same).map(|old| (old.status.as_str(), old.reason.as_str()));
        if before != Some((condition.status.as_str(), condition.reason.as_str()))
            && let Some(event) = event(condition)
        {
            // An Event that is not written is no reason to stop.
            if let Err(error) = ctx.recorder.publish(&event, &pds.object_ref(&())).await {
                tracing::debug!(%error, "an Event was not written");
            }
        }
    }
    Ok(())
}

/// What is worth telling: what came to be, and what needs a person.
fn event(condition: &Condition) -> Option<Event> {
    let good = condition.status == "True";
    let (type_, reason) = match (condition.type_.as_str(), condition.reason.as_str()) {
        ("Reconciling", _) => return None,
        ("Stalled", reason) if good => (EventType::Warning, reason.to_owned()),
        ("Stalled" | "Ready", _) if !good => return None,
        (kind, _) if good => (EventType::Normal, kind.to_owned()),
        (_, reason @ "ReconcileFailed") => (EventType::Warning, reason.to_owned()),
        _ => return None,
    };
    let note = Some(condition.message.clone());
    Some(Event { type_, reason, note, action: "Reconcile".into(), secondary: None })
}

/// The tag of an image.
fn version(image: &str) -> Option<String> {
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let (_, last) = name.rsplit_once('/').unwrap_or(("", name));
    last.split_once(':').map(|(_, tag)| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_tags() {
        assert_eq!(version("host:5000/a/pds:1.2"), Some("1.2".into()));
        assert_eq!(version("host:5000/a/pds"), None);
        assert_eq!(version("pds:1@sha256:ab"), Some("1".into()));
    }

    #[test]
    fn what_needs_a_person_is_stalled_and_not_reconciling() {
        let mut list = vec![("KeysReady", Stage::bad(Reason::KeySecretMissing, "gone"))];
        summarize(&mut list, true, true);
        let get = |kind: &str| list.iter().find(|(found, _)| *found == kind).map(|(_, stage)| stage.clone()).unwrap();
        assert!(!get("Ready").good);
        assert!(get("Stalled").good);
        assert_eq!(get("Stalled").reason, Reason::KeySecretMissing);
        assert!(!get("Reconciling").good);
    }
}
