//! `dev.auroralocus.admin.listJobs`

use crate::on_both;

on_both!(jobs_are_listed_with_their_intervals, |pds| async move {
    // AL-JOB-1, AL-JOB-2, AL-JOB-4, AL-JOB-5, AL-JOB-6, AL-JOB-8
    let listed = pds.admin_query("dev.auroralocus.admin.listJobs", &[]).await.ok();
    let jobs = listed["jobs"].as_array().unwrap();
    let shown = |name: &str| {
        let job = jobs.iter().find(|job| job["name"] == name)?;
        Some((job["intervalSeconds"].as_u64()?, job["runsOn"].as_str()?.to_owned()))
    };
    let one = |seconds| Some((seconds, "oneReplica".to_owned()));
    assert_eq!(shown("session_cleanup"), one(3600));
    assert_eq!(shown("suspension_cleanup"), one(60));
    assert_eq!(shown("health_check"), one(300));
    assert_eq!(shown("blob_orphan_sweep"), one(3600));
    assert_eq!(shown("account_purge"), one(3600));
    // PostgreSQL takes care of itself.
    let is_sqlite = pds.database.url.starts_with("sqlite");
    assert_eq!(shown("database_maintenance"), one(86_400).filter(|_| is_sqlite));
    assert_eq!(shown("mails"), Some((5, "everyReplica".to_owned())));
    assert_eq!(shown("crawl"), None, "no relays are set");
    assert!(jobs.iter().all(|job| job["running"] == false && job["run"] == 0), "{listed}");
});
