//! What the API server refuses and what keeps pods from running: named with the object and the cause, and over when the cause is.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota, Service};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use operator_api::PdsInstance;
use serde_json::{Value, json};

use super::harness::{World, eventually, message};
use super::node::{component, containers, ended};

fn full() -> Value {
    json!({"hostname": "full.test", "className": "real"})
}

async fn quota(world: &World, hard: Value) {
    world.make::<ResourceQuota>(json!({"metadata": {"name": "tight"}, "spec": {"hard": hard}})).await;
    eventually("the quota counts", async || {
        world.api::<ResourceQuota>().get("tight").await.ok()?.status?.hard.map(drop)
    })
    .await;
}

async fn lift(world: &World) {
    world.api::<ResourceQuota>().delete("tight", &DeleteParams::default()).await.unwrap();
}

/// F56.
#[tokio::test]
async fn a_quota_of_services_is_told_and_passes() {
    let world = World::new("services").await;
    let _node = world.run_pods();
    quota(&world, json!({"services": "2"})).await;
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "Ready", "False", "QuotaExceeded").await;
    let message = message(&pds, "Ready");
    assert!(message.starts_with("Service full") && message.contains("exceeded quota: tight"), "{message}");
    assert_eq!(pds.status.unwrap().observed_generation, pds.metadata.generation);
    world.event("QuotaExceeded", "exceeded quota: tight").await;
    lift(&world).await;
    world.ready("full").await;
}

#[tokio::test]
async fn a_quota_of_jobs_is_told_and_passes() {
    let world = World::new("jobs").await;
    let _node = world.run_pods();
    quota(&world, json!({"count/jobs.batch": "0"})).await;
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "SchemaMigrated", "False", "QuotaExceeded").await;
    let message = message(&pds, "SchemaMigrated");
    assert!(message.starts_with("Job full-migrate-") && message.contains("exceeded quota: tight"), "{message}");
    world.condition("full", "Ready", "False", "QuotaExceeded").await;
    lift(&world).await;
    world.ready("full").await;
}

/// An edit of an instance that runs: what runs goes on, and the status says that the edit did not come through.
#[tokio::test]
async fn a_full_quota_stops_an_edit_and_not_the_instance() {
    let world = World::new("full").await;
    let _node = world.run_pods();
    let mut spec = full();
    spec["replicas"] = json!(1);
    world.create("full", spec).await.unwrap();
    world.ready("full").await;
    quota(&world, json!({"count/poddisruptionbudgets.policy": "0"})).await;
    let edited = world.edit("full", json!({"replicas": 2})).await.unwrap();
    let pds = world.condition("full", "WorkloadAvailable", "False", "QuotaExceeded").await;
    assert!(message(&pds, "WorkloadAvailable").starts_with("PodDisruptionBudget full"));
    assert_eq!(pds.status.unwrap().observed_generation, edited.metadata.generation);
    let live = world.api::<Deployment>().get("full").await.unwrap();
    assert_eq!(live.status.unwrap().available_replicas, Some(1));
    lift(&world).await;
    world.ready("full").await;
}

#[tokio::test]
async fn a_policy_of_the_platform_that_denies_is_told_in_its_words() {
    let world = World::new("deny").await;
    let _node = world.run_pods();
    let name = world.namespace.clone();
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["statefulsets"],
    });
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let constraints = json!({"resourceRules": [rule], "namespaceSelector": here});
    let validation = json!({"expression": "false", "message": "no databases in this cluster"});
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {"matchConstraints": constraints, "validations": [validation]},
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    let policies = Api::<ValidatingAdmissionPolicy>::all(world.client.clone());
    let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(world.client.clone());
    policies.patch(&name, &PatchParams::apply("test"), &Patch::Apply(policy)).await.unwrap();
    bindings.patch(&name, &PatchParams::apply("test"), &Patch::Apply(binding)).await.unwrap();
    let probe = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "probe"}, "spec": {
        "serviceName": "a", "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
    }});
    eventually("the policy is in force", async || {
        let parameters = PatchParams { dry_run: true, ..PatchParams::apply("test") };
        let tried = world.api::<StatefulSet>().patch("probe", &parameters, &Patch::Apply(&probe)).await;
        tried.err().map(drop)
    })
    .await;
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "ApplyFailed").await;
    let message = message(&pds, "DatabaseReady");
    assert!(
        message.starts_with("StatefulSet full-pg: ") && message.contains("no databases in this cluster"),
        "{message}"
    );
    world.event("ApplyFailed", "no databases in this cluster").await;
    // The parts that do not need it are there.
    assert!(world.api::<Service>().get_opt("full-pg").await.unwrap().is_some());
    bindings.delete(&name, &DeleteParams::default()).await.unwrap();
    policies.delete(&name, &DeleteParams::default()).await.unwrap();
    world.ready("full").await;
}

/// The Deployment, the StatefulSet and the Job exist, and their pods are refused.
#[tokio::test]
async fn pods_that_kubernetes_cannot_create_are_told() {
    let world = World::new("refused").await;
    let _node = world.run_pods();
    quota(&world, json!({"pods": "0"})).await;
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "PodRefused").await;
    let why = message(&pds, "DatabaseReady");
    assert!(why.starts_with("StatefulSet full-pg: ") && why.contains("exceeded quota: tight"), "{why}");
    world.condition("full", "Ready", "False", "PodRefused").await;
    world.event("PodRefused", "exceeded quota: tight").await;
    lift(&world).await;
    world.condition("full", "DatabaseReady", "True", "AsExpected").await;
    world.ready("full").await;
}

#[tokio::test]
async fn pods_of_a_job_and_of_the_server_that_kubernetes_cannot_create_are_told() {
    let world = World::new("more").await;
    let _node = world.run_pods();
    let range = json!({"limits": [{"type": "Container", "min": {"memory": "100Mi"}}]});
    world.make::<LimitRange>(json!({"metadata": {"name": "least"}, "spec": range})).await;
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "SchemaMigrated", "False", "PodRefused").await;
    let why = message(&pds, "SchemaMigrated");
    assert!(
        why.starts_with("Job full-migrate-") && why.contains("minimum memory usage per Container is 100Mi"),
        "{why}"
    );
    world.edit("full", json!({"pod": {"migrationResources": {"requests": {"memory": "128Mi"}}}})).await.unwrap();
    let pds = world.condition("full", "WorkloadAvailable", "False", "PodRefused").await;
    let why = message(&pds, "WorkloadAvailable");
    assert!(why.starts_with("Deployment full: ") && why.contains("minimum memory usage per Container"), "{why}");
    world.edit("full", json!({"pod": {"resources": {"requests": {"memory": "128Mi"}}}})).await.unwrap();
    world.ready("full").await;
}

#[tokio::test]
async fn the_job_that_asks_an_image_for_its_version_has_the_resources_of_jobs() {
    let world = World::new("asks").await;
    let _node = world.run_pods();
    let range = json!({"limits": [{"type": "Container", "min": {"memory": "100Mi"}}]});
    world.make::<LimitRange>(json!({"metadata": {"name": "least"}, "spec": range})).await;
    let class = world.class(json!({})).await;
    let enough = json!({"requests": {"memory": "128Mi"}});
    let pod = json!({"resources": enough, "migrationResources": enough});
    world.create("full", json!({"hostname": "full.test", "className": class, "pod": pod})).await.unwrap();
    world.ready("full").await;
    world.class(json!({"images": {"postgres": "registry.test/postgres:stable"}})).await;
    let pod = world.pod("postgres-version").await;
    world.pod_says(&pod.name_any(), ended(&pod, 0, "postgres (PostgreSQL) 17.9\n")).await;
    let postgres = world.api::<StatefulSet>();
    eventually("the image is in use", async || {
        let template = postgres.get("full-pg").await.ok()?.spec?.template;
        let image = template.spec?.containers.into_iter().next()?.image?;
        (image == "registry.test/postgres:stable").then_some(())
    })
    .await;
    world.ready("full").await;
}

/// What a scheduler and a kubelet say.
#[tokio::test]
async fn pods_that_are_stuck_are_told_from_their_status() {
    let world = World::new("stuck").await;
    let _node = world.run_pods_of(&["postgres", "migrate"]);
    world.create("full", full()).await.unwrap();
    let pod = world.pod("pds").await;
    let name = pod.name_any();
    let says = async |status: Value| world.pod_says(&name, status).await;
    let told = async |reason: &str, why: &str| {
        let pds = eventually(why, async || {
            let pds = world.api::<PdsInstance>().get("full").await.ok()?;
            pds.status.as_ref()?;
            message(&pds, "WorkloadAvailable").contains(why).then_some(pds)
        })
        .await;
        let message = message(&pds, "WorkloadAvailable");
        assert!(message.starts_with(&format!("Pod {name}: ")), "{message}");
        assert!(message.contains("0 of 2 pods serve"), "{message}");
        world.condition("full", "WorkloadAvailable", "False", reason).await;
        world.condition("full", "Ready", "False", reason).await;
    };
    let before = "2020-01-01T00:00:00Z";
    says(json!({"conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": before,
        "message": "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    }]}))
    .await;
    told("Unschedulable", "0/3 nodes are available").await;
    world.event("Unschedulable", "0/3 nodes are available").await;

    let scheduled = json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": before}]);
    let waiting = |reason: &str, message: &str| {
        let state = json!({"waiting": {"reason": reason, "message": message}});
        json!({"conditions": scheduled, "containerStatuses": containers(&pod, &state)})
    };
    says(waiting("ImagePullBackOff", "Back-off pulling image \"pds:1.0.0\"")).await;
    told("ImageUnavailable", "ImagePullBackOff of pds:1.0.0").await;
    says(waiting("CreateContainerConfigError", "secret \"full-s3\" not found")).await;
    told("PodCrashing", "secret \"full-s3\" not found").await;
    let mut crashing = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container");
    crashing["containerStatuses"][0]["lastState"] = json!({"terminated": {
        "exitCode": 78, "reason": "Error", "message": "starting\nPDS_HOSTNAME: \"a\"; allowed: a host name\n",
    }});
    says(crashing).await;
    told("PodCrashing", "container pds ended with code 78: PDS_HOSTNAME: \"a\"; allowed: a host name").await;
}

/// F57.
#[tokio::test]
async fn a_rollout_that_takes_too_long_needs_a_person() {
    let world = World::new("deadline").await;
    let _node = world.run_pods_of(&["postgres", "migrate"]);
    world.create("full", full()).await.unwrap();
    world.pod("pds").await;
    let now = jiff::Timestamp::now().to_string();
    let exceeded = json!({
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": now,
        "lastTransitionTime": now, "message": "ReplicaSet has timed out progressing.",
    });
    let patch = Patch::Strategic(json!({"status": {"conditions": [exceeded]}}));
    // The Deployment controller writes its own condition over this one for as long as it sees progress.
    let pds = eventually("the instance is stalled", async || {
        let pds = world.api::<PdsInstance>().get("full").await.ok()?;
        let stalled = pds.status.as_ref()?.conditions.iter().any(|condition| {
            (condition.type_ == "Stalled") && (condition.status == "True") && (condition.reason == "RolloutStuck")
        });
        if !stalled {
            world.api::<Deployment>().patch_status("full", &PatchParams::default(), &patch).await.unwrap();
        }
        stalled.then_some(pds)
    })
    .await;
    let why = "Deployment full: new pods did not become ready within 300 s; 0 of 2 pods serve";
    assert_eq!(message(&pds, "Stalled"), why);
    world.condition("full", "Ready", "False", "RolloutStuck").await;
    world.event("RolloutStuck", why).await;
    let _node = world.run_pods();
    world.ready("full").await;
}

/// A pod that crashes beside one that serves: the instance serves, and is not as it should be.
#[tokio::test]
async fn no_instance_is_ready_beside_a_pod_that_crashes() {
    let world = World::new("beside").await;
    let node = world.run_pods();
    world.create("full", full()).await.unwrap();
    world.ready("full").await;
    drop(node);
    let pod = world.pod("pds").await;
    let state = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    let not_ready = json!([{"type": "Ready", "status": "False"}]);
    world
        .pod_says(&pod.name_any(), json!({"conditions": not_ready, "containerStatuses": containers(&pod, &state)}))
        .await;
    world.condition("full", "Ready", "False", "PodCrashing").await;
    eventually("one pod serves", async || {
        let pds = world.api::<PdsInstance>().get("full").await.ok()?;
        let why = format!("Pod {}: container pds ends again and again: back-off; 1 of 2 pods serve", pod.name_any());
        (message(&pds, "WorkloadAvailable") == why).then_some(())
    })
    .await;
    world.condition("full", "Ready", "False", "PodCrashing").await;
}

async fn jobs(world: &World) -> Vec<String> {
    world.api::<Job>().list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

/// F55.
#[tokio::test]
async fn a_migration_without_a_node_follows_a_corrected_placement_at_once() {
    let world = World::new("node").await;
    let _node = world.run_pods_of(&["pds", "postgres"]);
    let mut spec = full();
    spec["pod"] = json!({"nodeSelector": {"disk": "nosuch"}});
    world.create("full", spec).await.unwrap();
    let pod = world.pod("migrate").await;
    let condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "lastTransitionTime": "2020-01-01T00:00:00Z", "message": "no node has disk=nosuch",
    });
    world.pod_says(&pod.name_any(), json!({"conditions": [condition]})).await;
    let pds = world.condition("full", "SchemaMigrated", "False", "Unschedulable").await;
    assert!(message(&pds, "SchemaMigrated").contains("no node has disk=nosuch"));
    let first = jobs(&world).await;
    world.edit("full", json!({"pod": {"nodeSelector": {"disk": "fast", "nosuch": null}}})).await.unwrap();
    eventually("another Job is there and the first is gone", async || {
        let now = jobs(&world).await;
        (now.len() == 1 && now != first).then_some(())
    })
    .await;
    let _node = world.run_pods();
    world.ready("full").await;
}

async fn failed(world: &World, code: i32, words: &str) {
    let pod = world.pod("migrate").await;
    let status = ended(&pod, code, words);
    world.pod_says(&pod.name_any(), status).await;
}

#[tokio::test]
async fn a_failed_migration_is_tried_again_and_needs_nobody() {
    let world = World::new("failed").await;
    let _node = world.run_pods_of(&["pds", "postgres"]);
    world.create("full", full()).await.unwrap();
    // Every try of the Job fails; how often it tries is its own affair.
    let fail = async {
        loop {
            let pods = world.api::<k8s_openapi::api::core::v1::Pod>().list(&ListParams::default()).await.unwrap();
            for pod in pods.iter().filter(|pod| component(pod) == "migrate") {
                let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                if phase == Some("Pending") {
                    world.pod_says(&pod.name_any(), ended(pod, 1, "could not connect to server")).await;
                }
            }
            // The Job waits longer and longer between its tries.
            let patch = Patch::Merge(json!({"spec": {"activeDeadlineSeconds": 5}}));
            for job in jobs(&world).await {
                world.api::<Job>().patch(&job, &Default::default(), &patch).await.ok();
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let seen = world.condition("full", "SchemaMigrated", "False", "MigrationFailed");
    tokio::select! { () = fail => {}, _ = seen => {} }
    world.condition("full", "Reconciling", "True", "MigrationFailed").await;
    world.condition("full", "Stalled", "False", "AsExpected").await;
    world.event("MigrationFailed", "it is tried again after five minutes").await;
}

#[tokio::test]
async fn a_database_of_other_keys_is_stalled_and_not_tried_again() {
    let world = World::new("refusal").await;
    let _node = world.run_pods_of(&["pds", "postgres"]);
    world.create("full", full()).await.unwrap();
    let why = "the database belongs to keys with the fingerprint ab, not cd";
    let report = json!({"error": {"reason": "KeysMismatch", "message": why}}).to_string();
    failed(&world, 78, &report).await;
    let pds = world.condition("full", "SchemaMigrated", "False", "KeysMismatch").await;
    assert!(message(&pds, "SchemaMigrated").ends_with(why), "{}", message(&pds, "SchemaMigrated"));
    world.condition("full", "Stalled", "True", "KeysMismatch").await;
    let first = jobs(&world).await;
    assert_eq!(first.len(), 1);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(jobs(&world).await, first);
    let pods = world.api::<k8s_openapi::api::core::v1::Pod>().list(&ListParams::default()).await.unwrap();
    assert_eq!(pods.iter().filter(|pod| component(pod) == "migrate").count(), 1, "one try");
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());
    let api = world.api::<PdsInstance>();
    assert!(api.get("full").await.unwrap().status.unwrap().image.is_none());
}
