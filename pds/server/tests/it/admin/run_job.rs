//! `dev.auroralocus.admin.runJob`

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use serde_json::{Value, json};

use crate::{harness::TestPds, on_both};

const METHOD: &str = "dev.auroralocus.admin.runJob";

/// Runs a job, and waits until it has ended.
async fn run(pds: &TestPds, name: &str) -> Value {
    let started = pds.admin(METHOD, json!({"name": name})).await.ok();
    assert_eq!((&started["job"]["name"], &started["job"]["holder"]), (&json!(name), &json!(pds.app.jobs.holder())));
    let ended = async {
        loop {
            let listed = pds.admin_query("dev.auroralocus.admin.listJobs", &[]).await.ok();
            let job = listed["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name).unwrap().clone();
            if job["run"] == started["job"]["run"] && job["running"] == false {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the job ends")
}

on_both!(every_job_of_one_replica_can_be_run, |pds| async move {
    let listed = pds.app.jobs.list().await.unwrap();
    let names: Vec<_> = listed.into_iter().filter(|job| job.runs_on == "oneReplica").map(|job| job.name).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let job = run(&pds, &name).await;
        assert_eq!(
            (&job["outcome"], &job["run"], &job["failures"]),
            (&json!("success"), &json!(1), &json!(0)),
            "{job}"
        );
        assert!(job["dueAt"].as_str() > job["endedAt"].as_str(), "{job}");
    }
    let started = pds.admin(METHOD, json!({"name": "mails"})).await.ok();
    assert_eq!(started["job"]["runsOn"], "everyReplica");
});

on_both!(a_health_check_says_what_does_not_work, |pds| async move {
    // AL-JOB-4
    pds.blobs.away.store(true, Relaxed);
    let job = run(&pds, "health_check").await;
    assert_eq!((&job["outcome"], &job["failures"]), (&json!("failure"), &json!(1)));
    let error = job["error"].as_str().unwrap();
    assert!(error.starts_with("blob store: ") && !error.contains("PLC"), "{error}");
    pds.blobs.away.store(false, Relaxed);
    let job = run(&pds, "health_check").await;
    assert_eq!((&job["outcome"], &job["failures"], job.get("error")), (&json!("success"), &json!(0), None));
});

on_both!(a_job_that_does_not_exist_is_refused_by_name, |pds| async move {
    let answer = pds.admin(METHOD, json!({"name": "backup"})).await;
    assert_eq!(answer.error(), (400, "JobNotFound"));
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.contains("\"backup\"") && message.contains("session_cleanup"), "{message}");
    for input in [json!({}), json!({"name": ""}), json!({"name": 1}), json!({"name": "x".repeat(101)})] {
        assert_eq!(pds.admin(METHOD, input).await.error(), (400, "InvalidRequest"));
    }
});
