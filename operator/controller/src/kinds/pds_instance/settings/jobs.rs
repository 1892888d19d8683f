//! When background jobs run.

use operator_api::{Interval, Jobs, PdsClass, PdsInstanceSpec};

use super::said::Said;

pub(super) fn setting(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    let jobs = Said::of(spec, class, |spec| spec.jobs.as_ref(), |defaults| defaults.jobs.as_ref());
    if name == "PDS_JOB_LEASE" {
        return jobs.find(|jobs| jobs.lease.as_ref()).map(|lease| lease.0.clone());
    }
    let interval: fn(&Jobs) -> Option<&Interval> = match name {
        "PDS_JOB_ACCOUNT_PURGE_INTERVAL" => |jobs| jobs.account_purge.as_ref(),
        "PDS_JOB_BLOB_ORPHAN_SWEEP_INTERVAL" => |jobs| jobs.blob_orphan_sweep.as_ref(),
        "PDS_JOB_BLOB_STORE_CHECK_INTERVAL" => |jobs| jobs.blob_store_check.as_ref(),
        "PDS_JOB_CACHE_CLEANUP_INTERVAL" => |jobs| jobs.cache_cleanup.as_ref(),
        "PDS_JOB_CRAWL_INTERVAL" => |jobs| jobs.crawl.as_ref(),
        "PDS_JOB_DATABASE_MAINTENANCE_INTERVAL" => |jobs| jobs.database_maintenance.as_ref(),
        "PDS_JOB_EVENT_RETENTION_INTERVAL" => |jobs| jobs.event_retention.as_ref(),
        "PDS_JOB_EXPIRED_IMPORTS_INTERVAL" => |jobs| jobs.expired_imports.as_ref(),
        "PDS_JOB_HEALTH_CHECK_INTERVAL" => |jobs| jobs.health_check.as_ref(),
        "PDS_JOB_IDENTITY_CHANGES_INTERVAL" => |jobs| jobs.identity_changes.as_ref(),
        "PDS_JOB_MAILS_INTERVAL" => |jobs| jobs.mails.as_ref(),
        "PDS_JOB_RESERVATIONS_INTERVAL" => |jobs| jobs.reservations.as_ref(),
        "PDS_JOB_SESSION_CLEANUP_INTERVAL" => |jobs| jobs.session_cleanup.as_ref(),
        "PDS_JOB_SUSPENSION_CLEANUP_INTERVAL" => |jobs| jobs.suspension_cleanup.as_ref(),
        _ => return None,
    };
    jobs.find(interval).map(|interval| interval.0.clone())
}
