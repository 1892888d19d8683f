//! The migration of the schema.

use serde_json::json;

use super::*;

/// An instance whose migration was made and has not ended.
fn migrating(spec: Value) -> (World, String) {
    let mut world = World::new(spec);
    for _ in 0..20 {
        let plan = world.plan();
        world.carry_out(&plan);
        let job = world.all("Job").next().map(|job| name_of(job).to_owned());
        if let Some(job) = job {
            return (world, job);
        }
        world.kubernetes();
    }
    unreachable!("no Job")
}

fn ended(world: &mut World, job: &str, pod: &str, message: &str, at: i64) {
    let at = Timestamp::from_second(at).unwrap().to_string();
    let status = json!({"containerStatuses": [{"name": "migrate", "image": "pds:1", "imageID": "pds@sha256:aa",
        "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 78, "message": message, "finishedAt": at}}}]});
    world.pod_of("Job", job, pod, status);
}

fn failed(world: &mut World, job: &str, ago: i64) {
    let at = Timestamp::from_second(NOW - ago).unwrap().to_string();
    let condition =
        json!({"type": "Failed", "status": "True", "message": "BackoffLimitExceeded", "lastTransitionTime": at});
    world.edit("Job", job, json!({"status": {"conditions": [condition]}}));
}

fn name(world: &World) -> String {
    let mut world = world.clone();
    world.settle();
    name_of(&world.only("Job", "demo-migrate-")).to_owned()
}

#[test]
fn another_image_placement_or_database_is_another_migration_and_other_settings_are_not() {
    let base = || World::of("demo", open_class(), json!({}));
    let with = |change: Value| {
        let mut world = base();
        world.spec(change);
        name(&world)
    };
    let first = name(&base());
    for other in [
        json!({"image": "pds:2"}),
        json!({"pod": {"nodeSelector": {"a": "b"}}}),
        json!({"pod": {"tolerations": [{"key": "a"}]}}),
        json!({"pod": {"migrationResources": {"limits": {"memory": "1Gi"}}}}),
        json!({"pod": {"imagePullSecrets": ["a"]}}),
    ] {
        assert_ne!(first, with(other.clone()), "{other}");
    }
    for same in [json!({"identity": {"invites": "Open"}}), json!({"pod": {"resources": {"limits": {"memory": "1Gi"}}}})]
    {
        assert_eq!(first, with(same.clone()), "{same}");
    }
    let external = |url: &str| {
        let mut world = World::new(json!({"database": {"external": {"uriSecret": {"name": "db", "key": "url"}}}}));
        world.observed.references.database = Some(content("db", "u", &[("url", url)]).into());
        name(&world)
    };
    let (a, b) = ("postgres://u:p@a.test:5432/pds", "postgres://u:p@b.test:5432/pds");
    assert_eq!(external(a), external(a));
    assert_ne!(external(a), external(b));
}

#[test]
fn a_job_that_runs_or_is_complete() {
    let (mut world, job) = migrating(json!({}));
    assert_eq!(world.reason(ConditionType::SchemaMigrated), Reason::WaitingForJob);
    ended(&mut world, &job, "p", r#"{"error": {"reason": "Unavailable", "message": "no route to host"}}"#, NOW);
    let verdict = world.verdict(ConditionType::SchemaMigrated);
    assert_eq!(verdict.reason, Reason::WaitingForJob);
    assert!(verdict.message.ends_with("the last try ended: no route to host"), "{}", verdict.message);
    world.finish(&job);
    assert!(world.verdict(ConditionType::SchemaMigrated).good);
    let facts = world.plan().facts;
    assert_eq!(facts.postgres_version, Some(170_002));
    assert_eq!(facts.image_digest, Some(format!("sha256:{}", hex('a'))));
}

#[test]
fn what_the_job_reports_is_the_reason() {
    for (report, reason) in [
        (r#"{"error": {"reason": "KeysMismatch", "message": "other keys"}}"#, Reason::KeysMismatch),
        (r#"{"error": {"reason": "InvalidSettings", "message": "bad url"}}"#, Reason::CredentialsInvalid),
        (r#"{"error": {"reason": "New", "message": "unknown"}}"#, Reason::MigrationFailed),
        ("thread 'main' panicked", Reason::MigrationFailed),
        (r#"{"error": 7}"#, Reason::MigrationFailed),
        (r#"{"postgresVersion": 99999999999999}"#, Reason::MigrationFailed),
        ("", Reason::MigrationFailed),
    ] {
        let (mut world, job) = migrating(json!({}));
        ended(&mut world, &job, "p", report, NOW);
        failed(&mut world, &job, 0);
        let verdict = world.verdict(ConditionType::SchemaMigrated);
        assert_eq!(verdict.reason, reason, "{report}");
        assert!(verdict.message.starts_with(&format!("Job {job}")), "{}", verdict.message);
        assert_eq!(world.all("Deployment").count(), 0);
        world.advance(3);
        assert_eq!(world.all("Deployment").count(), 0, "{report}");
    }
}

#[test]
fn the_last_pod_speaks_and_strangers_do_not() {
    let (mut world, job) = migrating(json!({}));
    ended(&mut world, &job, "a", r#"{"error": {"reason": "New", "message": "last"}}"#, NOW);
    ended(&mut world, &job, "b", r#"{"error": {"reason": "New", "message": "first"}}"#, NOW - 9);
    ended(&mut world, &job, "c", r#"{"error": {"reason": "KeysMismatch", "message": "forged"}}"#, NOW + 9);
    for owner in
        [json!([]), json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": "x", "controller": true}])]
    {
        world.edit("Pod", "c", json!({"metadata": {"ownerReferences": owner}}));
        let verdict = world.verdict(ConditionType::SchemaMigrated);
        assert!(verdict.message.ends_with("last"), "{}", verdict.message);
    }
}

#[test]
fn a_failed_job_is_made_anew_after_five_minutes_and_not_before() {
    let (mut world, job) = migrating(json!({}));
    for ago in [0, 300, -1000] {
        failed(&mut world, &job, ago);
        assert_eq!(titles(&world.plan()), Vec::<String>::new(), "{ago}");
    }
    failed(&mut world, &job, 301);
    assert_eq!(titles(&world.plan()), [format!("delete Job {job}")], "once, and nothing else");
    let plan = world.plan();
    world.carry_out(&plan);
    assert_eq!(titles(&world.plan()), [format!("create Job {job}")]);
}

#[test]
fn what_only_a_person_can_mend_is_not_tried_again_before_it_is_mended() {
    let (mut world, job) = migrating(json!({}));
    let report = r#"{"error": {"reason": "KeysMismatch", "message": "other keys"}}"#;
    ended(&mut world, &job, "p", report, NOW - 900);
    failed(&mut world, &job, 900);
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    // The right keys again.
    world.pds.status = None;
    world.observed.keys = Some(own(keys_content("demo", '2'), "demo"));
    world.settle();
    assert!(world.verdict(ConditionType::SchemaMigrated).good);
    world.get("Deployment", "demo");
}

#[test]
fn a_tag_that_was_moved_is_migrated() {
    let mut world = World::settled(json!({}));
    let first = name(&world);
    let status = |digit: char| {
        json!({"containerStatuses": [{"name": "pds", "image": "pds:1", "imageID": format!("pds@sha256:{}", hex(digit)),
            "ready": true, "restartCount": 0, "state": {"running": {}}}]})
    };
    world.pod_of("Deployment", "demo", "demo-5b8c9-x", status('a'));
    assert_eq!(titles(&world.plan()), Vec::<String>::new());
    world.edit("Pod", "demo-5b8c9-x", json!({"status": status('b')}));
    world.edit("Pod", "demo-5b8c9-x", json!({"metadata": {"ownerReferences": []}}));
    assert_eq!(titles(&world.plan()), Vec::<String>::new(), "a pod with planted labels");
    world.pod_of("Deployment", "demo", "demo-5b8c9-x", status('b'));
    let plan = world.plan();
    assert!(titles(&plan)[0].starts_with("create Job demo-migrate-"), "{:?}", titles(&plan));
    assert_eq!(titles(&plan)[1..], [format!("delete Job {first}")]);
    world.settle();
    assert_ne!(name(&world), first);
}

/// The Job of a predecessor proves nothing for its successor.
#[test]
fn a_job_of_a_predecessor_does_not_count() {
    let (mut world, job) = migrating(json!({}));
    world.finish(&job);
    world.edit(
        "Job",
        &job,
        json!({"metadata": {"ownerReferences": [{"apiVersion": "auroralocus.dev/v1alpha1",
        "kind": "PdsInstance", "name": "demo", "uid": "earlier", "controller": true}]}}),
    );
    assert!(!world.verdict(ConditionType::SchemaMigrated).good);
    assert_eq!(titles(&world.plan()), [format!("create Job {job}")]);
}

/// An external database may have a certificate of the class's own authority; the instance's own one has none.
#[test]
fn the_certificates_of_the_class_reach_the_migration_of_an_external_database() {
    let mut trusting = class();
    merge(&mut trusting, &json!({"spec": {"caBundle": pem().0}}));
    let external = json!({"database": {"external": {"uriSecret": {"name": "db", "key": "url"}}}});
    for (spec, is_external) in [(external, true), (json!({}), false)] {
        let mut world = World::of("demo", trusting.clone(), spec);
        world.settle();
        let pod = world.only("Job", "demo-migrate-")["spec"]["template"]["spec"].clone();
        let container = &pod["containers"][0];
        let variable = |name: &str| {
            let all = container["env"].as_array().unwrap();
            all.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone())
        };
        let volume = |list: &Value| list.as_array().unwrap().iter().find(|one| one["name"] == "ca").cloned();
        if !is_external {
            assert_eq!((variable("PDS_CA_FILE"), volume(&pod["volumes"])), (None, None));
            continue;
        }
        let server = &world.get("Deployment", "demo")["spec"]["template"]["spec"];
        assert_eq!(volume(&pod["volumes"]), volume(&server["volumes"]), "of the same ConfigMap as that of the server");
        let bundle = volume(&pod["volumes"]).unwrap()["configMap"]["name"].clone();
        assert_eq!(world.get("ConfigMap", bundle.as_str().unwrap())["data"]["ca.crt"], trusting["spec"]["caBundle"]);
        let path = volume(&container["volumeMounts"]).unwrap()["mountPath"].clone();
        assert_eq!(variable("PDS_CA_FILE"), Some(json!(name::CA_FILE)));
        assert!(name::CA_FILE.starts_with(path.as_str().unwrap()));
        assert!(variable("PDS_CA_SHA256").is_some());
        // Another bundle is another Job.
        let first = name_of(&world.only("Job", "demo-migrate-")).to_owned();
        world.change_class(json!({"caBundle": pem().0}));
        world.settle();
        assert_ne!(name_of(&world.only("Job", "demo-migrate-")), first);
    }
}
