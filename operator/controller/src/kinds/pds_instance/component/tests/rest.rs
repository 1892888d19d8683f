//! An instance at rest stays at rest.

use serde_json::json;

use super::*;

#[test]
fn what_is_at_rest_plans_nothing() {
    for (kind, mut world) in every_kind() {
        world.settle();
        let plan = world.plan();
        assert_eq!((titles(&plan), steps(&plan)), (Vec::new(), Vec::new()), "{kind}");
        assert_eq!(plan.facts.is_rolled_out, Some(true), "{kind}");
        assert_eq!(plan.turns, [], "{kind}");
        let bad: Vec<_> = plan.verdicts.iter().filter(|(_, verdict)| !verdict.good).collect();
        let stopped = bad.len() == 1 && bad[0].1.message.contains("spec.replicas is 0");
        assert!(bad.is_empty() || (kind == "stopped" && stopped), "{kind}: {bad:?}");
    }
}

/// Each object is written once: nothing of what the API server makes of it is taken for a change.
#[test]
fn what_comes_to_be_is_written_once() {
    for (kind, mut world) in every_kind() {
        let mut written = BTreeMap::new();
        for _ in 0..40 {
            let plan = world.plan();
            titles(&plan).into_iter().for_each(|title| *written.entry(title).or_insert(0) += 1);
            world.carry_out(&plan);
            world.kubernetes();
        }
        // The role is known once the bucket is.
        let role = "apply ServiceAccount demo-pds";
        written
            .retain(|title, count| *count > 1 || !(title.starts_with("create") || (kind == "role" && title == role)));
        assert_eq!(written, BTreeMap::<String, i32>::new(), "{kind}");
    }
}

#[test]
fn a_restarted_operator_changes_nothing() {
    for (kind, mut world) in every_kind() {
        world.settle();
        world.observed.bucket = None;
        let plan = world.plan();
        assert_eq!(titles(&plan), Vec::<String>::new(), "{kind}");
        world.settle();
    }
}

#[test]
fn amounts_are_compared_as_numbers() {
    let mut world = World::settled(json!({"database": {"postgres": {"size": "1.5Gi"}}}));
    for same in ["1536Mi", "1.5Gi"] {
        world.spec(json!({"database": {"postgres": {"size": same}}}));
        assert!(world.plan().steps.is_empty(), "{same}");
        world.settle();
    }
    world.spec(json!({"database": {"postgres": {"size": "1Gi"}}}));
    assert!(world.plan().steps.is_empty(), "a volume never shrinks, and one that is larger is welcome");
    world.spec(json!({"database": {"postgres": {"size": "2Gi"}}}));
    assert_eq!(steps(&world.plan()), ["GrowVolume"]);
    world.settle();
    assert!(world.verdict(ConditionType::DatabaseReady).good);
}

#[test]
fn a_volume_that_cannot_grow_is_said_and_nothing_stops() {
    let mut world = World::settled(json!({"database": {"postgres": {"size": "1Gi"}}}));
    world.observed.volume_can_grow = false;
    world.spec(json!({"database": {"postgres": {"size": "2Gi"}}}));
    let verdict = world.verdict(ConditionType::DatabaseReady);
    assert_eq!(verdict.reason, Reason::InvalidSpec);
    assert!(verdict.message.contains("\"2Gi\"") && verdict.message.contains("\"1Gi\""), "{}", verdict.message);
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_bucket_is_looked_at_again_after_a_while_and_stays_good() {
    let mut world = World::settled(json!({}));
    for (seconds, due) in [(599, false), (601, true)] {
        world.observed.bucket.as_mut().unwrap().age = Duration::from_secs(seconds);
        assert_eq!(!world.plan().steps.is_empty(), due);
        assert!(world.verdict(ConditionType::BlobStoreReady).good);
    }
}

/// The token for the collector of the platform does not go to an address that a tenant names.
#[test]
fn the_headers_of_a_class_are_for_its_own_collector() {
    let traces = json!({"endpoint": "https://collector.test", "headersSecret": {"name": "otel", "key": "h"}});
    let mut class = open_class();
    merge(&mut class, &json!({"spec": {"defaults": {"traces": traces}}}));
    let headers = |traces: Value| {
        let world = World::of("demo", class.clone(), json!({"traces": traces}));
        let typed: PdsClass = serde_json::from_value(world.class.clone()).unwrap();
        let found = secrets::of_services(&world.pds.spec, Some(&typed));
        found
            .iter()
            .filter(|one| one.field == "traces.headersSecret")
            .map(|one| one.secret.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(headers(json!({"serviceName": "pds"})), ["otel"]);
    assert!(headers(json!({"endpoint": "http://elsewhere.test"})).is_empty());
    let own = json!({"endpoint": "http://elsewhere.test", "headersSecret": {"name": "own", "key": "h"}});
    assert_eq!(headers(own), ["own"]);
}

#[test]
fn templates_of_mails_have_a_size_together() {
    let template =
        |language: &str| json!({"language": language, "mail": "SignIn", "text": "x", "html": "x".repeat(60_000)});
    let world = |languages: &[&str]| {
        let templates: Vec<_> = languages.iter().map(|language| template(language)).collect();
        let email = json!({"smtpSecret": {"name": "a", "key": "k"}, "from": "a@b.test", "templates": templates});
        World::new(json!({"email": email}))
    };
    assert!(world(&["fr", "de"]).wanted().is_ok());
    let refused = world(&["fr", "de", "pt"]).wanted().map(drop).unwrap_err().to_string();
    assert_eq!(refused, "spec.email.templates: 180003 bytes; allowed: 131072");
}
