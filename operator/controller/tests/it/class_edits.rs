//! An edit of a class reaches the instances that run in a way that costs them nothing.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use operator_object_store::MARKER_KEY;
use serde_json::{Value, json};

use super::harness::{World, bucket, eventually, message, variable};
use super::home::Home;
use super::node::ended;
use super::s3;

async fn database_image(world: &World) -> String {
    let live = world.api::<StatefulSet>().get("full-pg").await.unwrap();
    live.spec.unwrap().template.spec.unwrap().containers.remove(0).image.unwrap()
}

fn images(postgres: &str) -> Value {
    json!({"images": {"postgres": postgres}})
}

/// F51.
#[tokio::test]
async fn an_image_of_another_postgresql_is_refused_before_a_pod_is_replaced() {
    let world = World::new("major").await;
    let _node = world.run_pods();
    let class = world.class(json!({})).await;
    world.create("full", json!({"hostname": "full.test", "className": class})).await.unwrap();
    let pds = world.ready("full").await;
    assert_eq!(pds.status.unwrap().resolved.unwrap().postgres_major, Some(17));
    let before = world.api::<StatefulSet>().get("full-pg").await.unwrap();

    world.class(images("postgres:18")).await;
    let pds = world.condition("full", "DatabaseReady", "False", "DatabaseVersionMismatch").await;
    let why = format!(
        "PdsClass {class:?} names the image \"postgres:18\" with PostgreSQL 18, and the data directory is of PostgreSQL 17 \
         (postgres:17 goes on); set the image back to 17"
    );
    assert_eq!(message(&pds, "DatabaseReady"), why);
    world.condition("full", "Stalled", "True", "DatabaseVersionMismatch").await;
    let after = world.api::<StatefulSet>().get("full-pg").await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);

    // Another build of the same major version is welcome.
    world.class(images("postgres:17.3")).await;
    eventually("it is in use", async || (database_image(&world).await == "postgres:17.3").then_some(())).await;
    world.ready("full").await;
}

#[tokio::test]
async fn an_image_whose_tag_tells_nothing_is_asked_for_its_version() {
    let world = World::new("tags").await;
    let _node = world.run_pods();
    let class = world.class(json!({})).await;
    world.create("full", json!({"hostname": "full.test", "className": class})).await.unwrap();
    world.ready("full").await;

    world.class(images("registry.test/postgres:stable")).await;
    let pds = world.condition("full", "DatabaseReady", "False", "WaitingForJob").await;
    let job = message(&pds, "DatabaseReady");
    assert!(job.starts_with("Job full-pg-"), "{job}");
    let pod = world.pod("postgres-version").await;
    assert_eq!(pod.spec.as_ref().unwrap().containers[0].image.as_deref(), Some("registry.test/postgres:stable"));
    assert_eq!(database_image(&world).await, "postgres:17");
    world.pod_says(&pod.name_any(), ended(&pod, 0, "postgres (PostgreSQL) 18.1 (Debian 18.1-1)\n")).await;
    let pds = world.condition("full", "DatabaseReady", "False", "DatabaseVersionMismatch").await;
    assert!(message(&pds, "DatabaseReady").contains("with PostgreSQL 18, and the data directory is of PostgreSQL 17"));
    assert_eq!(database_image(&world).await, "postgres:17");

    world.class(images("registry.test/postgres:other")).await;
    let asked = eventually("the other image is asked", async || {
        let pod = world.pod("postgres-version").await;
        let image = pod.spec.as_ref()?.containers.first()?.image.clone()?;
        (image == "registry.test/postgres:other").then_some(pod)
    })
    .await;
    world.pod_says(&asked.name_any(), ended(&asked, 0, "postgres (PostgreSQL) 17.9\n")).await;
    eventually("it is in use", async || (database_image(&world).await == "registry.test/postgres:other").then_some(()))
        .await;
    world.ready("full").await;
    eventually("no Job is left that asks", async || {
        let jobs = world.api::<Job>().list(&ListParams::default()).await.ok()?;
        jobs.iter().all(|job| !job.name_any().starts_with("full-pg-")).then_some(())
    })
    .await;
}

async fn endpoint(world: &World) -> String {
    let live = world.api::<Deployment>().get("full").await.unwrap().spec.unwrap().template.spec.unwrap();
    let mut env = live.containers[0].env.clone().unwrap().into_iter();
    let endpoint = env.find(|variable| variable.name == "PDS_BLOBSTORE_S3_ENDPOINT").unwrap().value.unwrap();
    endpoint.trim_end_matches('/').to_owned()
}

/// The same server under another name is a service that has the bucket; a port where nobody answers is one that has not.
#[tokio::test]
async fn an_instance_moves_to_another_object_store_when_its_bucket_is_there() {
    let world = World::new("move").await;
    let _node = world.run_pods();
    let class = world.class(json!({})).await;
    world.create("full", json!({"hostname": "full.test", "className": class})).await.unwrap();
    let pds = world.ready("full").await;
    let (old, bucket) = (variable("AURORA_TEST_S3_ENDPOINT"), bucket(&pds));
    assert_eq!(pds.status.unwrap().resolved.unwrap().object_store_endpoint.as_deref(), Some(old.as_str()));
    let before = world.api::<Deployment>().get("full").await.unwrap();

    let new = old.replace("127.0.0.1", "localhost");
    // Not there: the marker is of somebody else.
    let marker = s3::admin().get_object().bucket(&bucket).key(MARKER_KEY).send().await.unwrap();
    let marker = marker.body.collect().await.unwrap().into_bytes();
    let other = String::from_utf8(marker.to_vec()).unwrap().replace("\"fingerprint\": \"", "\"fingerprint\": \"00");
    let put = async |bytes: Vec<u8>| {
        s3::admin().put_object().bucket(&bucket).key(MARKER_KEY).body(bytes.into()).send().await.unwrap();
    };
    put(other.into_bytes()).await;
    world.class(json!({"objectStore": {"endpoint": new}})).await;
    let pds = world.condition("full", "BlobStoreReady", "False", "ObjectStoreChanged").await;
    let why = message(&pds, "BlobStoreReady");
    assert!(why.starts_with(&format!("PdsClass names the object store {new}, and bucket {bucket}")), "{why}");
    assert!(why.contains(&old), "{why}");
    world.condition("full", "Stalled", "True", "ObjectStoreChanged").await;
    assert_eq!(endpoint(&world).await, old);
    let after = world.api::<Deployment>().get("full").await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);
    assert_eq!(after.status.unwrap().available_replicas, Some(2));

    // Back again, as if nothing had been.
    put(marker.to_vec()).await;
    world.class(json!({})).await;
    world.ready("full").await;
    assert_eq!(endpoint(&world).await, old);

    world.class(json!({"objectStore": {"endpoint": new}})).await;
    eventually("pods use the new one", async || (endpoint(&world).await == new).then_some(())).await;
    let pds = world.ready("full").await;
    assert_eq!(pds.status.unwrap().resolved.unwrap().object_store_endpoint, Some(new));
}

#[tokio::test]
async fn a_lower_limit_refuses_growth_and_stops_nothing() {
    let world = World::new("limit").await;
    let _node = world.run_pods();
    let class = world.class(json!({"limits": {"maxReplicas": 3}})).await;
    world.create("full", json!({"hostname": "full.test", "className": class, "replicas": 3})).await.unwrap();
    world.ready("full").await;
    world.class(json!({"limits": {"maxReplicas": 1}})).await;
    // It asks for what it has.
    world.edit("full", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    let replicas = async || world.api::<Deployment>().get("full").await.unwrap().spec.unwrap().replicas;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(replicas().await, Some(3));
    world.ready("full").await;
    world.edit("full", json!({"replicas": 4})).await.unwrap();
    let pds = world.condition("full", "ClassAccepted", "False", "LimitExceeded").await;
    let why = format!("spec.replicas: 4; PdsClass {class:?} allows at most 1; 3 are kept");
    assert_eq!(message(&pds, "ClassAccepted"), why);
    assert_eq!(replicas().await, Some(3));
    // Nor does whoever may scale the Deployment get more.
    let by_hand = Patch::Merge(json!({"spec": {"replicas": 4}}));
    world.api::<Deployment>().patch("full", &PatchParams::default(), &by_hand).await.unwrap();
    eventually("three are kept", async || (replicas().await == Some(3)).then_some(())).await;
    world.edit("full", json!({"replicas": 1})).await.unwrap();
    eventually("it shrinks", async || (replicas().await == Some(1)).then_some(())).await;
    world.ready("full").await;
}

async fn images_in_use(world: &World, names: &[&str]) -> Vec<String> {
    let mut images = Vec::new();
    for name in names {
        let live = world.api::<Deployment>().get(name).await.unwrap();
        images.push(live.spec.unwrap().template.spec.unwrap().containers.remove(0).image.unwrap());
    }
    images
}

async fn server_image(world: &World, name: &str) -> String {
    images_in_use(world, &[name]).await.remove(0)
}

#[tokio::test]
async fn a_new_image_of_the_class_reaches_one_instance_after_the_other() {
    let world = World::new("turns").await;
    let home = Home::new(&world, json!({})).await;
    let _process = home.start(None).await;
    let node = world.run_pods();
    let names = ["a", "b", "c"];
    for name in names {
        let spec = json!({"hostname": format!("{name}.test"), "className": home.class, "database": {"sqlite": {}}});
        world.create(name, spec).await.unwrap();
    }
    for name in names {
        world.ready(name).await;
    }
    // Without a node no new pod becomes ready, so no second instance may begin.
    drop(node);
    home.edit(&world, json!({"images": {"pds": "pds:2.0.0"}})).await;
    let new = async || images_in_use(&world, &names).await.iter().filter(|image| *image == "pds:2.0.0").count();
    eventually("one is replaced", async || (new().await == 1).then_some(())).await;
    eventually("the others wait for their turn and are ready", async || {
        let mut waiting = 0;
        for name in names {
            let pds = world.api::<operator_api::PdsInstance>().get(name).await.ok()?;
            let conditions = pds.status?.conditions;
            let holds = |kind: &str, reason: &str| {
                conditions.iter().any(|found| found.type_ == kind && found.status == "True" && found.reason == reason)
            };
            waiting += usize::from(holds("Reconciling", "WaitingForTurn") && holds("Ready", "AsExpected"));
        }
        (waiting == 2).then_some(())
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(new().await, 1);

    // Somebody's own edit does not wait for the class.
    let waiting = names[images_in_use(&world, &names).await.iter().position(|image| image == "pds:1.0.0").unwrap()];
    world.edit(waiting, json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    eventually("it is replaced for its edit", async || (new().await == 2).then_some(())).await;
    let _node = world.run_pods();
    eventually("all are replaced", async || (new().await == 3).then_some(())).await;
    for name in names {
        world.ready(name).await;
    }
}

/// Whoever may write Deployments can mark one as if it had its turn; pods that can never be made would hold up every instance.
#[tokio::test]
async fn a_deployment_that_no_instance_owns_holds_no_turn() {
    let world = World::new("forged").await;
    let home = Home::new(&world, json!({})).await;
    let _process = home.start(None).await;
    let _node = world.run_pods();
    for name in ["a", "b"] {
        let spec = json!({"hostname": format!("{name}.test"), "className": home.class, "database": {"sqlite": {}}});
        world.create(name, spec).await.unwrap();
        world.ready(name).await;
    }
    let owner = world.api::<PdsInstance>().get("b").await.unwrap().controller_owner_ref(&());
    let forged = |name: &str, instance: &str, owners: Value| {
        let labels = json!({
            "auroralocus.dev/instance": instance, "app.kubernetes.io/managed-by": "aurora-locus-operator", "app": name,
        });
        let annotations = json!({"auroralocus.dev/turn": "taken"});
        let pod = json!({"serviceAccountName": "nosuch", "containers": [{"name": "pds", "image": "pds:1.0.0"}]});
        json!({
            "metadata": {"name": name, "labels": labels, "annotations": annotations, "ownerReferences": owners},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            },
        })
    };
    world.make::<Deployment>(forged("fake", "fake", json!([]))).await;
    // Of a real instance, under a name that is not its own.
    world.make::<Deployment>(forged("other", "b", json!([owner]))).await;
    // And a real one whose instance is paused after its turn, and whose pods come no more.
    home.edit(&world, json!({"images": {"pds": "pds:1.0.1"}})).await;
    for name in ["a", "b"] {
        eventually("both get the image", async || (server_image(&world, name).await == "pds:1.0.1").then_some(()))
            .await;
        world.ready(name).await;
    }
    world.edit("b", json!({"paused": true})).await.unwrap();
    world.condition("b", "Reconciling", "False", "Paused").await;
    world.api::<ServiceAccount>().delete("b-pds", &Default::default()).await.unwrap();
    for pod in world.api::<Pod>().list(&ListParams::default()).await.unwrap() {
        if pod.name_any().starts_with("b-") {
            world.api::<Pod>().delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await.unwrap();
        }
    }
    home.edit(&world, json!({"images": {"pds": "pds:1.0.2"}})).await;
    eventually("the image goes on", async || (server_image(&world, "a").await == "pds:1.0.2").then_some(())).await;
    assert_eq!(server_image(&world, "b").await, "pds:1.0.1");
}
