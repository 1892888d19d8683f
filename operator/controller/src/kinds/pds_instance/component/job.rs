//! What the Jobs of an instance have in common.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::ResourceExt;
use kube::api::ApiResource;
use operator_api::PodSettings;
use operator_runtime::carry_out::Condemned;
use operator_runtime::ownership::Lifetime;

use super::super::wanted::Wanted;
use super::pod;

/// How long a failed Job stays for people to look at, before the migration is tried again.
const FAILED_JOB_STAYS: i64 = 300;

pub(super) fn condition<'a>(live: &'a Job, type_: &str) -> Option<&'a k8s_openapi::api::batch::v1::JobCondition> {
    let conditions = live.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|found| found.type_ == type_ && found.status == "True")
}

/// The message of a Job's condition `Failed`. `None` if the Job did not fail.
pub(super) fn failure(live: &Job) -> Option<String> {
    condition(live, "Failed").map(|failed| failed.message.clone().unwrap_or_default())
}

/// A failed Job that people had the time to look at, so that it can be made anew.
pub(super) fn condemned(live: &Job, now: Timestamp) -> Option<Condemned> {
    let since = condition(live, "Failed")?.last_transition_time.as_ref()?.0;
    (now.as_second().saturating_sub(since.as_second()) > FAILED_JOB_STAYS).then(|| Condemned {
        resource: ApiResource::erase::<Job>(&()),
        name: live.name_any(),
        uid: live.uid().unwrap_or_default(),
        lifetime: Lifetime::Instance,
        foreground: false,
    })
}

/// CPU and memory of every container of a Job. A Job runs beside the pods that serve, so it does not ask for as much as they do.
pub(super) fn resources(wanted: &Wanted) -> ResourceRequirements {
    wanted.pod.migration_resources.clone().unwrap_or_else(|| pod::requests("50m", "64Mi"))
}

/// The pod settings that apply to Jobs. The pod template of a Job is immutable, so a change of these settings
/// changes the name of the Job.
pub(super) fn placement(wanted: &Wanted) -> PodSettings {
    PodSettings { resources: None, ..wanted.pod.clone() }
}
