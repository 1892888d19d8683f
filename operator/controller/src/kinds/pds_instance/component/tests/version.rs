//! Images of PostgreSQL and the data directory.

use serde_json::json;

use super::*;

const BY_DIGEST: &str = "postgres@sha256:00";

/// An instance at rest, whose class then names an image that does not tell its version, with the Job that asks.
pub(super) fn asking(mut world: World) -> World {
    world.settle();
    world.change_class(json!({"images": {"postgres": BY_DIGEST}}));
    let plan = world.plan();
    world.carry_out(&plan);
    world
}

fn job(world: &World) -> String {
    name_of(&world.only("Job", "demo-pg-")).to_owned()
}

fn image(world: &World) -> String {
    let set = world.get("StatefulSet", "demo-pg");
    set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

/// A pod of the Job, by what its containers said; nothing for one that runs.
fn told(world: &mut World, pod: &str, words: &[(&str, Option<&str>)]) {
    let containers = words.iter().map(|(name, words)| {
        let state = match words {
            Some(words) => json!({"terminated": {"exitCode": 0, "message": words}}),
            None => json!({"running": {}}),
        };
        json!({"name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state})
    });
    let status = json!({"containerStatuses": containers.collect::<Vec<_>>()});
    let job = job(world);
    world.pod_of("Job", &job, pod, status);
}

#[test]
fn another_major_version_is_refused_before_a_pod_is_replaced() {
    let mut world = World::settled(json!({}));
    world.change_class(json!({"images": {"postgres": "postgres:18"}}));
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert_eq!(verdict.reason, Reason::DatabaseVersionMismatch);
    let message = "PdsClass \"standard\" names the image \"postgres:18\" with PostgreSQL 18, and the data directory is of \
                   PostgreSQL 17 (postgres:17 goes on); set the image back to 17";
    assert_eq!(verdict.message, message);
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    world.spec(json!({"replicas": 3}));
    assert_eq!(titles(&world.plan()), ["apply Deployment demo"], "an edit of something else goes on");
    world.settle();
    world.change_class(json!({"images": {"postgres": "postgres:17.5"}}));
    world.settle();
    assert_eq!(image(&world), "postgres:17.5");
}

/// Other changes of the StatefulSet go through with the image that runs.
#[test]
fn what_runs_keeps_its_image_and_follows_otherwise() {
    let mut world = World::settled(json!({}));
    world.change_class(json!({"images": {"postgres": "postgres:18"}}));
    world.spec(json!({"database": {"postgres": {"resources": {"limits": {"memory": "1Gi"}}}}}));
    world.advance(3);
    assert_eq!(image(&world), "postgres:17");
    let container = &world.get("StatefulSet", "demo-pg")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
}

#[test]
fn an_instance_without_status_and_workload_is_refused_too() {
    let mut world = World::settled(json!({}));
    (world.pds.status, world.observed.bucket) = (None, None);
    world.objects.retain(|(kind, _), _| !["StatefulSet", "Job", "Pod", "Deployment"].contains(&kind.as_str()));
    world.change_class(json!({"images": {"postgres": "postgres:18"}}));
    world.advance(5);
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::DatabaseVersionMismatch);
    assert_eq!(world.all("StatefulSet").count(), 0);
}

#[test]
fn a_job_asks_an_image_that_does_not_tell() {
    let mut world = asking(World::new(json!({})));
    assert_eq!(image(&world), "postgres:17");
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::WaitingForJob);
    told(&mut world, "p", &[("wanted", Some("postgres (PostgreSQL) 17.9"))]);
    world.settle();
    assert_eq!(image(&world), BY_DIGEST);
    assert_eq!(world.all("Job").count(), 1, "the Job goes when its answer is used");
}

#[test]
fn what_the_job_was_told_can_be_another_version() {
    let mut world = asking(World::new(json!({})));
    told(&mut world, "p", &[("wanted", Some("postgres (PostgreSQL) 18.0"))]);
    world.advance(3);
    assert_eq!(image(&world), "postgres:17");
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::DatabaseVersionMismatch);
}

#[test]
fn an_image_without_postgres_is_not_used() {
    let mut world = asking(World::new(json!({})));
    told(&mut world, "p", &[("wanted", Some("sh: postgres: not found"))]);
    world.advance(3);
    assert_eq!(image(&world), "postgres:17");
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert_eq!(verdict.reason, Reason::DatabaseVersionMismatch);
    assert!(verdict.message.contains(BY_DIGEST), "{}", verdict.message);
    told(&mut world, "q", &[("wanted", Some("postgres (PostgreSQL) 17.9"))]);
    world.advance(3);
    assert_eq!(image(&world), BY_DIGEST, "the second pod of the Job told it");
}

/// Nothing tells the version of the data directory but the image that runs, and that one takes longer.
#[test]
fn the_new_image_waits_for_the_word_of_the_running_one() {
    let mut world = World::new(json!({}));
    world.change_class(json!({"images": {"postgres": "postgres:latest"}}));
    world.advance(5);
    world.pds.status.as_mut().unwrap().resolved = None;
    world.change_class(json!({"images": {"postgres": BY_DIGEST}}));
    let plan = world.plan();
    world.carry_out(&plan);
    let new = ("wanted", Some("postgres (PostgreSQL) 18.0"));
    told(&mut world, "p", &[("running", None), new]);
    world.pds.status.as_mut().unwrap().resolved = None;
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::WaitingForJob);
    told(&mut world, "p", &[("running", Some("?")), new]);
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::DatabaseVersionMismatch);
    told(&mut world, "p", &[("running", Some("postgres (PostgreSQL) 17.4")), new]);
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::DatabaseVersionMismatch);
    told(&mut world, "p", &[("running", Some("postgres (PostgreSQL) 18.1")), new]);
    let plan = world.plan();
    world.carry_out(&plan);
    assert_eq!(image(&world), BY_DIGEST);
}

#[test]
fn a_planted_pod_tells_nothing() {
    let mut world = asking(World::new(json!({})));
    told(&mut world, "p", &[("wanted", Some("postgres (PostgreSQL) 17.9"))]);
    world.edit(
        "Pod",
        "p",
        json!({"metadata": {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job",
        "name": job(&world), "uid": "another", "controller": true}]}}),
    );
    assert_eq!(world.reason(ConditionType::DatabaseReady), Reason::WaitingForJob);
}

#[test]
fn a_job_that_failed_is_made_anew_after_five_minutes() {
    let mut world = asking(World::new(json!({})));
    let job = job(&world);
    let failed = |ago: i64| {
        let at = Timestamp::from_second(NOW - ago).unwrap().to_string();
        json!({"status": {"conditions": [{"type": "Failed", "status": "True", "message": "DeadlineExceeded",
            "lastTransitionTime": at}]}})
    };
    world.edit("Job", &job, failed(299));
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert_eq!(verdict.reason, Reason::ReconcileFailed);
    assert!(verdict.message.contains(&job) && verdict.message.contains("DeadlineExceeded"), "{}", verdict.message);
    world.edit("Job", &job, failed(301));
    assert_eq!(titles(&world.plan()), [format!("delete Job {job}")]);
    let plan = world.plan();
    world.carry_out(&plan);
    assert_eq!(titles(&world.plan()), [format!("create Job {job}")]);
}
