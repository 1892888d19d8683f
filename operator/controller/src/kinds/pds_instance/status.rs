//! What people and tools read about an instance. Written after every outcome.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use operator_api::{
    BlobStoreStatus, ConditionType, DatabaseStatus, KeysStatus, PdsInstance, PdsInstanceStatus, Reason, Resolved,
};
use operator_runtime::condition;
use serde_json::json;

use super::component::part::Facts;
use super::component::{keys, name, version};
use super::plan::Plan;
use super::verdict::Verdict;
use super::wanted::{Blobs, Database, Refusal, Wanted};
use crate::context::Ctx;
use crate::guarded::Guarded;

const MANAGER: &str = "aurora-locus-operator-status";

/// Result of a reconciliation, from which the status is computed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How every part is.
    pub verdicts: Vec<(ConditionType, Verdict)>,
    /// What the status says beside conditions.
    pub facts: Facts,
    /// Why the pods are not replaced yet although the wanted kind differs.
    pub waits: Option<Verdict>,
    /// Whether the operator changes nothing because the spec says so.
    pub is_paused: bool,
    /// Whether something failed that is to be tried again.
    pub failed: bool,
}

impl Report {
    /// What a plan says before it is carried out.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self { verdicts: plan.verdicts.clone(), facts: plan.facts.clone(), ..Self::default() }
    }

    /// One verdict; nothing is known of the other parts.
    #[must_use]
    pub fn only(condition: ConditionType, verdict: Verdict) -> Self {
        Self { verdicts: vec![(condition, verdict)], ..Self::default() }
    }

    /// A refused spec: only `ClassAccepted` and the summaries are set, the other conditions keep their last values.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Self {
        Self::only(ConditionType::ClassAccepted, Verdict::bad(refusal.reason, refusal.message.clone()))
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let rolled_out = self.facts.is_rolled_out != Some(false);
        rolled_out && self.waits.is_none() && self.verdicts.iter().all(|(_, verdict)| verdict.good)
    }

    /// Every condition: those of the parts, then `Ready`, `Reconciling` and `Stalled`.
    fn conditions(&self, was_ready: bool) -> Vec<(ConditionType, Verdict)> {
        let bad = |wanted: fn(&Verdict) -> bool| {
            self.verdicts.iter().map(|(_, verdict)| verdict).find(|verdict| !verdict.good && wanted(verdict)).cloned()
        };
        let stalled = bad(Verdict::is_stalled);
        let worst = stalled.clone().or_else(|| bad(|verdict| !verdict.is_stalled()));
        let complete = self.facts.is_rolled_out != Some(false);
        let rolling = || Verdict::bad(Reason::Progressing, "pods are being replaced or started");
        let ready = match (&worst, complete || was_ready) {
            (Some(worst), _) => worst.clone(),
            (None, false) => rolling(),
            (None, true) => Verdict::good("everything runs"),
        };
        // That no pod runs is all that is not good.
        let others = |condition: ConditionType| condition != ConditionType::WorkloadAvailable;
        let stopped = self.facts.is_stopped == Some(true)
            && complete
            && self.verdicts.iter().all(|(condition, verdict)| verdict.good || !others(*condition));
        let work = if self.is_paused {
            None
        } else {
            let next = self.waits.clone().or(worst).or_else(|| (!complete).then(rolling));
            next.filter(|_| stalled.is_none() && !stopped)
        };
        let reconciling = match work {
            Some(verdict) => Verdict { good: true, ..verdict },
            None if self.is_paused => Verdict::bad(Reason::Paused, "spec.paused is true: nothing is changed"),
            None if stalled.is_some() => {
                Verdict::bad(Reason::AsExpected, "the operator waits for a person; see Stalled")
            }
            None => Verdict::bad(Reason::AsExpected, "nothing is left to do"),
        };
        let stalled = match stalled {
            Some(verdict) => Verdict { good: true, ..verdict },
            None => Verdict::bad(Reason::AsExpected, "nothing needs a person"),
        };
        let mut list = self.verdicts.clone();
        list.retain(|(condition, _)| *condition != ConditionType::Ready);
        list.extend([
            (ConditionType::Ready, ready),
            (ConditionType::Reconciling, reconciling),
            (ConditionType::Stalled, stalled),
        ]);
        list
    }
}

/// The instance with the status that was written last, if the watch has not shown that yet. Otherwise two reconciliations at a short
/// distance would plan from the same old status, and a change back to it would not be written.
#[must_use]
pub fn newest(ctx: &Ctx, pds: &PdsInstance) -> Option<PdsInstance> {
    let uid = pds.metadata.uid.as_deref()?;
    let (written, _) = ctx.written.get(uid)?;
    let newest = written.over(pds);
    if newest.is_none() {
        ctx.written.forget(uid);
    }
    newest
}

/// Writes what came of a reconciliation.
///
/// # Errors
/// What the API server answers.
pub async fn update(ctx: &Ctx, pds: &PdsInstance, wanted: Option<&Wanted>, report: &Report) -> kube::Result<()> {
    let mut status = pds.status.clone().unwrap_or_default();
    status.observed_generation = pds.metadata.generation;
    let was_ready = status.conditions.iter().any(|found| found.type_ == "Ready" && found.status == "True");
    let conditions = report.conditions(was_ready);
    if report.facts.is_rolled_out.is_some() && report.waits.is_none() && !report.failed && !report.is_paused {
        status.applied_generation = pds.metadata.generation;
    }
    if let Some(wanted) = wanted {
        let known = |condition: &Condition| conditions.iter().any(|(kind, _)| kind.as_str() == condition.type_);
        status.conditions.retain(known);
        fill(
            &mut status,
            wanted,
            report,
            ctx.scrapes.get(&pds.uid().unwrap_or_default()).and_then(|scrape| scrape.accounts),
        );
    }
    for (kind, verdict) in &conditions {
        let (reason, message) = (verdict.reason.as_str(), verdict.message.as_str());
        condition::set(&mut status.conditions, kind.as_str(), verdict.good, reason, message, pds.metadata.generation);
    }
    let (namespace, name) = (pds.namespace().unwrap_or_default(), pds.name_any());
    let ready = conditions.iter().any(|(kind, verdict)| *kind == ConditionType::Ready && verdict.good);
    ctx.pages.metrics.set_ready(&namespace, &name, ready);
    // Pods keep the certificate that they have while the Secret holds no good one, so the end of it stays known.
    let expiry = report.facts.certificate_expiry;
    if wanted.is_some_and(|wanted| wanted.tls.is_none() || expiry.is_some()) {
        ctx.pages.metrics.set_certificate_expiry(&namespace, &name, expiry);
    }
    write(ctx, pds, status).await
}

fn fill(status: &mut PdsInstanceStatus, wanted: &Wanted, report: &Report, accounts: Option<i64>) {
    let facts = &report.facts;
    let good = |kind: ConditionType| report.verdicts.iter().any(|(known, verdict)| *known == kind && verdict.good);
    status.url = Some(wanted.url.clone());
    status.class_name = Some(ResourceExt::name_any(&*wanted.class));
    status.replicas = Some(wanted.replicas);
    status.ready_replicas = facts.ready_replicas;
    let (engine, secret_name) = engine(wanted);
    let version = facts.postgres_version.map(version::version_text);
    let version = version.or_else(|| status.database.as_ref().and_then(|database| database.version.clone()));
    status.database = Some(DatabaseStatus { engine: engine.into(), secret_name, version });
    let resolved = status.resolved.get_or_insert_default();
    if let Some((bucket, endpoint)) = facts.bucket.clone() {
        resolved.bucket = Some(bucket);
        resolved.object_store_endpoint = endpoint;
    }
    if let Some(version) = facts.postgres_version.filter(|_| wanted.has_postgres()) {
        resolved.postgres_major = Some(version::major(version));
    }
    if good(ConditionType::BlobStoreReady) {
        let bucket = match &wanted.blobs {
            Blobs::Disk => None,
            Blobs::Provisioned { bucket, .. } | Blobs::Given { bucket, .. } => Some(bucket.clone()),
        };
        status.blob_store = Some(BlobStoreStatus { bucket });
    }
    if let Some(fingerprint) = &facts.fingerprint {
        let secret_name = keys::secret_name(&wanted.instance);
        status.keys = Some(KeysStatus { secret_name, fingerprint: Some(fingerprint.clone()) });
    }
    if good(ConditionType::SchemaMigrated) {
        if facts.image_digest.is_some() {
            status.image_digest = facts.image_digest.clone();
        }
        if facts.is_rolled_out == Some(true) {
            status.version = version_of(&wanted.image);
            status.image = Some(wanted.image.clone());
        }
    }
    if accounts.is_some() {
        status.accounts = accounts;
    }
    if status.resolved == Some(Resolved::default()) {
        status.resolved = None;
    }
}

/// The engine as the status names it, and its Secret.
fn engine(wanted: &Wanted) -> (&'static str, Option<String>) {
    match &wanted.database {
        Database::Postgres { .. } => ("Postgres", Some(name::postgres(&wanted.instance))),
        Database::External { secret, .. } => ("External", Some(secret.clone())),
        Database::Sqlite { .. } => ("Sqlite", None),
    }
}

/// Writes the status if it says something new, and publishes Events about what changed.
async fn write(ctx: &Ctx, pds: &PdsInstance, status: PdsInstanceStatus) -> kube::Result<()> {
    let old = pds.status.clone().unwrap_or_default();
    if old == status {
        return Ok(());
    }
    let namespace = pds.namespace().unwrap_or_default();
    let api = Api::<Guarded>::namespaced(ctx.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": PdsInstance::api_version(&()), "kind": PdsInstance::kind(&()), "status": &status,
    });
    let written = api.patch_status(&pds.name_any(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(patch)).await;
    match written {
        // It was deleted meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        other => {
            if let Ok(written) = other?.0 {
                ctx.written.put(&pds.uid().unwrap_or_default(), written.into());
            }
        }
    }
    let about = pds.object_ref(&());
    for condition in &status.conditions {
        let same = |old: &&Condition| old.type_ == condition.type_;
        let before = old.conditions.iter().find(same).map(|old| (old.status.as_str(), old.reason.as_str()));
        if before == Some((condition.status.as_str(), condition.reason.as_str())) {
            continue;
        }
        match (condition.type_.as_str(), condition.status.as_str()) {
            // A failure that is of no part alone has no other condition.
            ("Ready", "False") if is_told(&condition.reason) && !has_cause(&status.conditions, &condition.reason) => {
                ctx.events.warning(&about, &condition.reason, &condition.message).await;
            }
            ("Reconciling" | "Ready" | "Stalled", _)
                if condition.reason != "AsExpected" || condition.type_ != "Ready" => {}
            (_, "True") if condition.reason == Reason::StorageFilling.as_str() => {
                ctx.events.warning(&about, &condition.reason, &condition.message).await;
            }
            (kind, "True") => ctx.events.normal(&about, kind, &condition.message).await,
            (_, _) if is_told(&condition.reason) => {
                ctx.events.warning(&about, &condition.reason, &condition.message).await;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the condition of a part has this reason.
fn has_cause(conditions: &[Condition], reason: &str) -> bool {
    let is_summary = |condition: &Condition| matches!(condition.type_.as_str(), "Ready" | "Reconciling" | "Stalled");
    conditions.iter().any(|condition| !is_summary(condition) && condition.reason == reason)
}

fn is_told(reason: &str) -> bool {
    Reason::ALL.iter().find(|known| known.as_str() == reason).is_none_or(|known| known.is_told())
}

/// The tag of an image.
fn version_of(image: &str) -> Option<String> {
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let (_, last) = name.rsplit_once('/').unwrap_or(("", name));
    last.split_once(':').map(|(_, tag)| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_tags() {
        assert_eq!(version_of("host:5000/a/pds:1.2"), Some("1.2".into()));
        assert_eq!(version_of("host:5000/a/pds"), None);
        assert_eq!(version_of("pds:1@sha256:ab"), Some("1".into()));
    }

    fn summary(report: &Report, was_ready: bool) -> [(bool, Reason); 3] {
        let list = report.conditions(was_ready);
        [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled].map(|kind| {
            let (_, verdict) = list.iter().find(|(known, _)| *known == kind).unwrap();
            (verdict.good, verdict.reason)
        })
    }

    #[test]
    fn what_needs_a_person_is_stalled_and_not_reconciling() {
        let report = Report::only(ConditionType::KeysReady, Verdict::bad(Reason::KeySecretMissing, "gone"));
        let gone = Reason::KeySecretMissing;
        assert_eq!(summary(&report, true), [(false, gone), (false, Reason::AsExpected), (true, gone)]);
    }

    /// F57.
    #[test]
    fn a_rollout_that_is_stuck_needs_a_person_and_is_an_event() {
        let stuck = Reason::RolloutStuck;
        let verdict =
            Verdict::bad(stuck, "Deployment a: new pods did not become ready within 300 s; 0 of 2 pods serve");
        let report = Report::only(ConditionType::WorkloadAvailable, verdict);
        assert_eq!(summary(&report, true), [(false, stuck), (false, Reason::AsExpected), (true, stuck)]);
        assert!(is_told(stuck.as_str()));
    }

    #[test]
    fn a_failed_migration_is_tried_again_and_not_stalled() {
        let report = Report::only(ConditionType::SchemaMigrated, Verdict::bad(Reason::MigrationFailed, "no"));
        let failed = Reason::MigrationFailed;
        assert_eq!(summary(&report, true), [(false, failed), (true, failed), (false, Reason::AsExpected)]);
    }

    #[test]
    fn an_instance_that_waits_for_its_turn_stays_ready() {
        let waits = Some(Verdict::bad(Reason::WaitingForTurn, "later"));
        let facts = Facts { is_rolled_out: Some(false), ..Facts::default() };
        let verdicts = vec![(ConditionType::WorkloadAvailable, Verdict::good("2 of 2 pods serve"))];
        let report = Report { verdicts, waits, facts, ..Report::default() };
        assert_eq!(summary(&report, true)[..2], [(true, Reason::AsExpected), (true, Reason::WaitingForTurn)]);
    }

    #[test]
    fn a_paused_instance_tells_how_it_is() {
        let verdict = Verdict::bad(Reason::PodCrashing, "Pod a");
        let report = Report { is_paused: true, ..Report::only(ConditionType::WorkloadAvailable, verdict) };
        assert_eq!(summary(&report, true)[..2], [(false, Reason::PodCrashing), (false, Reason::Paused)]);
    }
}
