//! Which replacements of pods wait for their turn.

use serde_json::json;

use super::*;

#[test]
fn a_change_by_the_class_waits_for_its_turn_and_one_by_the_spec_does_not() {
    let mut world = World::settled(json!({}));
    world.change_class(json!({"plcUrl": "http://other.test"}));
    let turns = [(ConditionType::WorkloadAvailable, world.wanted().unwrap().image)];
    assert_eq!(world.plan().turns, turns);
    let mut world = World::settled(json!({}));
    world.spec(json!({"identity": {"invites": "Open"}}));
    let plan = world.plan();
    assert_eq!((plan.turns.len(), plan.facts.is_rolled_out), (0, Some(false)));
}

/// A person scales the pods, or another tool labels the Deployment: no pod is replaced, so nothing waits.
#[test]
fn what_replaces_no_pod_needs_no_turn() {
    let mut world = World::settled(json!({}));
    let deployment = ("Deployment".to_owned(), "demo".to_owned());
    world.objects.get_mut(&deployment).unwrap()["spec"]["replicas"] = json!(1);
    let plan = world.plan();
    assert_eq!((titles(&plan), plan.turns.len()), (vec!["apply Deployment demo".to_owned()], 0));
    // A field of the pods that somebody changed, and one that the class no longer asks for.
    let mut world = World::settled(json!({}));
    let pod = "/spec/template/spec/terminationGracePeriodSeconds";
    *world.objects.get_mut(&deployment).unwrap().pointer_mut(pod).unwrap() = json!(1);
    assert_eq!(world.plan().turns.len(), 1);
    let mut world = World::of("demo", class(), json!({"pod": {"priorityClassName": "high"}}));
    world.class = open_class();
    world.settle();
    world.spec(json!({"pod": null}));
    // The migration runs first, in pods of the same kind; then the pods are replaced for the spec's sake.
    while !titles(&world.plan()).contains(&"apply Deployment demo".to_owned()) {
        world.advance(1);
    }
    assert_eq!((world.plan().turns.len(), world.plan().facts.is_rolled_out), (0, Some(false)));
}

/// Whoever may write a Secret does not hold the turns of others, and whoever serves nobody needs none.
#[test]
fn a_secret_of_the_instance_and_an_instance_that_is_down_need_no_turn() {
    let mut world = World::settled(json!({}));
    let mut keys = (**world.observed.keys.as_ref().unwrap()).clone();
    keys.values.insert("adminPassword".into(), b"another".to_vec());
    world.observed.keys = Some(keys.into());
    let plan = world.plan();
    assert_eq!((titles(&plan), plan.turns.len()), (vec!["apply Deployment demo".to_owned()], 0));
    let mut world = World::settled(json!({}));
    world.edit("Deployment", "demo", json!({"status": {"availableReplicas": 0}}));
    world.change_class(json!({"plcUrl": "http://other.test"}));
    let plan = world.plan();
    assert_eq!((titles(&plan), plan.turns.len()), (vec!["apply Deployment demo".to_owned()], 0));
}

/// With SQLite the old pod is gone before the new one serves: the next instance may not lose its pod to the same fault. And pods that are lost
/// after a rollout are no rollout.
#[test]
fn a_rollout_lasts_until_its_pods_serve_and_no_longer() {
    let is_rolling = |status: serde_json::Value| {
        let live = json!({
            "metadata": {
                "name": "a", "namespace": "ns", "generation": 2, "labels": {"auroralocus.dev/instance": "a"},
                "annotations": {"auroralocus.dev/turn": "taken"},
            },
            "spec": {
                "replicas": 1, "selector": {},
                "template": {"spec": {"containers": [{"name": "pds", "image": "pds:2"}]}},
            },
            "status": status,
        });
        super::super::server::rolling(&serde_json::from_value(live).unwrap()).is_some()
    };
    let progressing = |reason: &str| json!([{"type": "Progressing", "status": "True", "reason": reason}]);
    let counts = |available: i32, reason: &str| {
        json!({
            "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available,
            "conditions": progressing(reason),
        })
    };
    assert!(is_rolling(json!({"observedGeneration": 1})));
    assert!(is_rolling(counts(0, "ReplicaSetUpdated")));
    assert!(!is_rolling(counts(1, "NewReplicaSetAvailable")));
    assert!(!is_rolling(counts(0, "NewReplicaSetAvailable")));
}
