//! The operator writes and deletes only what its own instances made.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch};
use serde_json::{Value, json};

use super::harness::{World, eventually, message};

fn lite() -> Value {
    json!({"hostname": "lite.test", "database": {"sqlite": {}}})
}

fn shop() -> Value {
    json!({"selector": {"app": "shop"}, "ports": [{"port": 8080}]})
}

/// F45.
#[tokio::test]
async fn a_service_of_somebody_else_is_left_alone_and_named() {
    let world = World::new("shop").await;
    let _node = world.run_pods();
    world.make::<Service>(json!({"metadata": {"name": "web"}, "spec": shop()})).await;
    let services = world.api::<Service>();
    let before = services.get("web").await.unwrap();
    world.create("web", lite()).await.unwrap();
    let pds = world.condition("web", "WorkloadAvailable", "False", "ObjectNotOwned").await;
    let message = message(&pds, "WorkloadAvailable");
    assert_eq!(
        message,
        "Service web exists already and was not made by this instance; delete or rename it, or give the instance another name"
    );
    world.condition("web", "Stalled", "True", "ObjectNotOwned").await;
    eventually("an Event tells it", async || {
        let all = world.api::<Event>().list(&ListParams::default()).await.ok()?;
        let note = all.into_iter().find(|event| event.reason.as_deref() == Some("ObjectNotOwned"))?.note?;
        note.contains("Service web").then_some(())
    })
    .await;
    assert_eq!(services.get("web").await.unwrap(), before);
    world.delete("web").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(services.get("web").await.unwrap(), before);

    // With the shop's Service out of the way it goes on by itself.
    world.create("web", lite()).await.unwrap();
    world.condition("web", "Stalled", "True", "ObjectNotOwned").await;
    services.delete("web", &DeleteParams::default()).await.unwrap();
    world.ready("web").await;
    assert_eq!(services.get("web").await.unwrap().owner_references()[0].name, "web");
}

#[tokio::test]
async fn an_instance_may_be_called_default() {
    let world = World::new("default").await;
    let _node = world.run_pods();
    let accounts = world.api::<ServiceAccount>();
    let before = eventually("the namespace has its ServiceAccount", async || accounts.get("default").await.ok()).await;
    world.create("default", lite()).await.unwrap();
    world.ready("default").await;
    assert_eq!(accounts.get("default").await.unwrap(), before);
    let pods = world.api::<Deployment>().get("default").await.unwrap().spec.unwrap().template.spec.unwrap();
    assert_eq!(pods.service_account_name.as_deref(), Some("default-pds"));
    world.delete("default").await;
    world.gone::<ServiceAccount>("default-pds").await;
    assert_eq!(accounts.get("default").await.unwrap(), before);
}

/// Labels can be copied: with `kubectl get -o yaml`, by a template, in bad faith.
#[tokio::test]
async fn our_labels_alone_make_an_object_neither_ours_nor_prey() {
    let world = World::new("copied").await;
    let _node = world.run_pods();
    let labels = |component: &str| {
        json!({
            "app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": "lite",
            "auroralocus.dev/component": component,
        })
    };
    let spec = json!({"podSelector": {"matchLabels": {"app": "shop"}}, "policyTypes": ["Ingress"]});
    world
        .make::<NetworkPolicy>(json!({"metadata": {"name": "guard", "labels": labels("network")}, "spec": spec}))
        .await;
    world.make::<ConfigMap>(json!({"metadata": {"name": "theirs", "labels": labels("pds")}, "data": {"a": "b"}})).await;
    // One of them under a name that the instance needs.
    world.make::<Service>(json!({"metadata": {"name": "lite-metrics", "labels": labels("pds")}, "spec": shop()})).await;
    let seen = async || {
        (
            world.api::<NetworkPolicy>().get("guard").await.unwrap(),
            world.api::<ConfigMap>().get("theirs").await.unwrap(),
            world.api::<Service>().get("lite-metrics").await.unwrap(),
        )
    };
    let before = seen().await;
    world.create("lite", lite()).await.unwrap();
    let pds = world.condition("lite", "WorkloadAvailable", "False", "ObjectNotOwned").await;
    assert!(message(&pds, "WorkloadAvailable").starts_with("Service lite-metrics exists already"));
    assert_eq!(seen().await, before);
    world.api::<Service>().delete("lite-metrics", &DeleteParams::default()).await.unwrap();
    world.ready("lite").await;
    // Now every component knows all that it wants, and prunes the rest.
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("lite").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.api::<NetworkPolicy>().get("guard").await.unwrap(), before.0);
    assert_eq!(world.api::<ConfigMap>().get("theirs").await.unwrap(), before.1);
    world.delete("lite").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.api::<ConfigMap>().get_opt("theirs").await.unwrap().is_some());
}

#[tokio::test]
async fn an_object_that_somebody_takes_over_is_let_go() {
    let world = World::new("orphan").await;
    let _node = world.run_pods();
    world.create("lite", lite()).await.unwrap();
    world.ready("lite").await;
    let metadata = json!({"ownerReferences": null, "labels": {"auroralocus.dev/owner-uid": null}});
    let orphaned = Patch::Merge(json!({"metadata": metadata, "spec": {"selector": {"app": "shop"}}}));
    let services = world.api::<Service>();
    let taken = services.patch("lite-metrics", &Default::default(), &orphaned).await.unwrap();
    world.condition("lite", "WorkloadAvailable", "False", "ObjectNotOwned").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(services.get("lite-metrics").await.unwrap().spec, taken.spec);
    world.delete("lite").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(services.get_opt("lite-metrics").await.unwrap().is_some());
}

/// GitOps tools track what they made by `app.kubernetes.io/instance`, and prune the rest.
#[tokio::test]
async fn no_object_carries_the_label_by_which_other_tools_track() {
    let world = World::new("track").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    let tracked = ListParams::default().labels("app.kubernetes.io/instance");
    macro_rules! none {
        ($($kind:ty)*) => {$(
            let found = world.api::<$kind>().list(&tracked).await.unwrap();
            assert!(found.items.is_empty(), "{found:?}");
        )*};
    }
    use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
    use k8s_openapi::api::policy::v1::PodDisruptionBudget;
    none!(Deployment ReplicaSet StatefulSet Job Pod Service ServiceAccount ConfigMap Secret PersistentVolumeClaim
        NetworkPolicy PodDisruptionBudget);
}
