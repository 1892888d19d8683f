//! Objects that are being deleted and that a finalizer keeps: the operator waits, and says so.

use super::*;

fn leave(world: &mut World, kind: &str, name: &str) {
    world.edit(kind, name, json!({"metadata": {"deletionTimestamp": "2023-01-01T00:00:00Z"}}));
}

fn leaving(content: &Arc<Content>) -> Option<Arc<Content>> {
    let mut content = Content::clone(content);
    content.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::from_second(NOW).unwrap()));
    Some(content.into())
}

#[test]
fn a_child_on_its_way_out_is_neither_written_nor_deleted() {
    for (kind, name, condition) in [
        ("Deployment", "demo", ConditionType::WorkloadAvailable),
        ("Service", "demo-metrics", ConditionType::WorkloadAvailable),
        ("NetworkPolicy", "demo", ConditionType::WorkloadAvailable),
        ("ServiceAccount", "demo-pds", ConditionType::WorkloadAvailable),
        ("StatefulSet", "demo-pg", ConditionType::DatabaseReady),
    ] {
        let mut world = World::settled(json!({"hostname": "demo.test"}));
        leave(&mut world, kind, name);
        // It differs from what is wanted, too.
        world.edit(kind, name, json!({"metadata": {"labels": {"auroralocus.dev/component": "x"}}}));
        let plan = world.plan();
        assert!(plan.writes.is_empty() && plan.steps.is_empty(), "{kind}: {:?}", plan.writes);
        let verdict = world.verdict(condition);
        assert_eq!((verdict.good, verdict.reason), (false, Reason::BeingDeleted), "{kind}");
        assert!(verdict.message.starts_with(&format!("{kind} {name} is being deleted")), "{}", verdict.message);
    }
}

#[test]
fn a_credential_on_its_way_out_is_not_deleted_again_and_again() {
    let mut world = World::settled(json!({"hostname": "demo.test"}));
    let mut content = Content::clone(world.observed.s3_secret.as_ref().unwrap());
    content.values.insert("secretAccessKey".into(), b"nonsense".to_vec());
    world.observed.s3_secret = leaving(&content.into());
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let verdict = world.verdict(ConditionType::BlobStoreReady);
    assert_eq!(verdict.reason, Reason::BeingDeleted);
    assert!(verdict.message.starts_with("Secret demo-s3 is being deleted"), "{}", verdict.message);
    // Gone, it is made anew.
    world.observed.s3_secret = None;
    world.settle();
    assert!(world.observed.s3_secret.is_some());
}

#[test]
fn keys_passwords_and_volumes_on_their_way_out_are_told_and_nothing_stops() {
    let mut world = World::settled(json!({"hostname": "demo.test"}));
    let (keys, password) = (world.observed.keys.clone().unwrap(), world.observed.postgres_secret.clone().unwrap());
    for (condition, object) in [
        (ConditionType::KeysReady, "Secret demo-keys"),
        (ConditionType::DatabaseReady, "Secret demo-pg"),
        (ConditionType::DatabaseReady, "PersistentVolumeClaim data-demo-pg-0"),
    ] {
        (world.observed.keys, world.observed.postgres_secret) = (Some(keys.clone()), Some(password.clone()));
        match object {
            "Secret demo-keys" => world.observed.keys = leaving(&keys),
            "Secret demo-pg" => world.observed.postgres_secret = leaving(&password),
            _ => leave(&mut world, "PersistentVolumeClaim", "data-demo-pg-0"),
        }
        let verdict = world.verdict(condition);
        assert_eq!((verdict.reason, verdict.blocks), (Reason::BeingDeleted, false), "{object}");
        assert!(
            verdict.message.starts_with(object) && verdict.message.contains("save that now"),
            "{}",
            verdict.message
        );
        let plan = world.plan();
        assert!(plan.writes.is_empty() && plan.steps.is_empty(), "{object}");
    }
}
