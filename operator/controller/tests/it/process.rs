//! The program itself: what it costs, and when it ends.

use std::process::Command;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use kube::api::{Api, ListParams, Patch};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use serde_json::{Value, json};

use super::flood;
use super::harness::{World, eventually, write_secret};
use super::home::Home;
use super::program::{MOST_MEMORY, Program};
use super::wait::watched;

const COUNT: usize = 280;
/// Of these, the ones that hold much in an annotation that looks like ours: metadata is what the operator asks for.
const ANNOTATED: usize = 60;
/// After these, the ones that hold much in their finalizers.
const HELD: usize = 240;

/// `COUNT` objects of 700 kB with our labels.
async fn fill<K: Resource<DynamicType = ()>>(world: &World, field: &str) {
    let labels = json!({
        "app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": "lite",
        "auroralocus.dev/component": "pds",
    });
    for (numbers, inside, outside, finalizers) in [
        (0..ANNOTATED, 500_000, 200_000, Vec::new()),
        (ANNOTATED..HELD, 1, 1, finalizers()),
        (HELD..COUNT, 700_000, 1, Vec::new()),
    ] {
        let annotations = json!({"auroralocus.dev/applied-hash": "x".repeat(outside)});
        let metadata =
            json!({"name": "flood-NUMBER", "labels": labels, "annotations": annotations, "finalizers": finalizers});
        flood::create::<K>(world, json!({"metadata": metadata, field: {"a": "x".repeat(inside)}}), numbers).await;
    }
}

/// Instances of 700 kB.
const INSTANCES: usize = 60;

/// Half a megabyte.
fn finalizers() -> Vec<String> {
    (0..2_500).map(|number| format!("{}test/{number}", "long.".repeat(38))).collect()
}

/// Lets objects go that finalizers hold.
async fn release<K: Resource<DynamicType = ()>>(world: &World, numbers: std::ops::Range<usize>) {
    flood::change::<K>(world, &json!({"metadata": {"finalizers": null}}), numbers).await;
}

/// Changes each of the objects once.
async fn stir<K: Resource<DynamicType = ()>>(world: &World) {
    flood::change::<K>(world, &json!({"metadata": {"labels": {"stirred": "1"}}}), 0..COUNT).await;
}

async fn stays_small<K>(name: &str, field: &str)
where
    K: Resource<DynamicType = ()> + serde::de::DeserializeOwned + serde::Serialize + Clone + std::fmt::Debug,
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
{
    // The API server has much to do meanwhile, and others would wait for it.
    let world = World::alone(name).await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    fill::<K>(&world, field).await;
    // Once as a list, once as changes.
    let program = Program::start(&home, &world);
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    stir::<K>(&world).await;
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("lite").await;
    let most = program.most_memory();
    let left = world.api::<K>().list_metadata(&ListParams::default().limit(500)).await.unwrap();
    release::<K>(&world, ANNOTATED..HELD).await;
    assert!(most < MOST_MEMORY, "{} MiB", most >> 20);
    assert!(left.items.iter().filter(|object| object.name_any().starts_with("flood-")).count() == COUNT);
}

/// What is stored in 1.5 MB is up to 9 MB of JSON, if it is full of what JSON escapes. Nothing bounds the name in an owner reference.
#[tokio::test]
async fn objects_full_of_escapes_cost_no_memory() {
    async fn escapes<K: Resource<DynamicType = ()>>(world: &World, mut object: Value) {
        let owner = json!({"apiVersion": "x.example.net/v1", "kind": "K", "uid": "u", "name": "<".repeat(1_200_000)});
        let labels =
            json!({"app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": "lite"});
        object["metadata"] = json!({"name": "flood-NUMBER", "labels": labels, "ownerReferences": [owner]});
        flood::create::<K>(world, object, 0..4).await;
    }
    let world = World::alone("flood-e").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    escapes::<Secret>(&world, json!({})).await;
    escapes::<ConfigMap>(&world, json!({})).await;
    escapes::<ServiceAccount>(&world, json!({})).await;
    escapes::<Service>(&world, json!({"spec": {"ports": [{"port": 80}]}})).await;
    let program = Program::start(&home, &world);
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    let patch = json!({"metadata": {"labels": {"stirred": "1"}}});
    futures::join!(
        flood::change::<Secret>(&world, &patch, 0..4),
        flood::change::<ConfigMap>(&world, &patch, 0..4),
        flood::change::<ServiceAccount>(&world, &patch, 0..4),
        flood::change::<Service>(&world, &patch, 0..4),
    );
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("lite").await;
    program.took_little_memory();
}

/// Whoever may create instances decides how large they are, within what the API server takes.
#[tokio::test]
async fn many_large_instances_cost_no_memory() {
    let world = World::alone("flood-i").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    let metadata = json!({
        "name": "flood-NUMBER", "annotations": {"auroralocus.dev/note": "x".repeat(200_000)},
        "finalizers": finalizers(),
    });
    let spec = json!({"hostname": "flood-NUMBER.test", "className": "nosuch"});
    flood::create::<PdsInstance>(&world, json!({"metadata": metadata, "spec": spec}), 0..INSTANCES).await;
    let program = Program::start(&home, &world);
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    let most = program.most_memory();
    release::<PdsInstance>(&world, 0..INSTANCES).await;
    assert!(most < MOST_MEMORY, "{} MiB", most >> 20);
}

/// Kinds whose objects are kept whole are kept so only of instances. Lists and maps that the API server does not bound:
#[tokio::test]
async fn many_large_objects_of_other_kinds_with_our_labels_cost_no_memory() {
    let world = World::alone("flood-k").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    let spec = || json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec()).await.unwrap();
    let owner = world.api::<PdsInstance>().get("lite").await.unwrap().controller_owner_ref(&());
    let labels = json!({
        "app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": "lite",
        "auroralocus.dev/component": "pds",
    });
    let text = |number: usize| format!("{}{number}", "long.".repeat(40));
    let anchor = world.make::<ConfigMap>(json!({"metadata": {"name": "anchor"}})).await;
    let other = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "anchor", "uid": anchor.uid(), "controller": true,
    });
    let secrets: Vec<_> = (0..4_000).map(|number| json!({"name": text(number)})).collect();
    let selector: serde_json::Map<_, _> =
        (0..8_000).map(|number| (format!("k{number}"), json!("long".repeat(15)))).collect();
    let service = json!({"selector": selector, "ports": [{"port": 80}]});
    let values: Vec<_> = (0..9_000).map(|number| format!("{}{number}", "long".repeat(14))).collect();
    let volume = json!({
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": values}]},
    });
    // Some without an owner, some of another object, some as if they were of the instance.
    for (rest, owners) in [json!([]), json!([other]), json!([owner])].into_iter().enumerate() {
        let metadata = json!({"name": "flood-NUMBER", "labels": labels, "ownerReferences": owners});
        let numbers = || (rest..24).step_by(3);
        let account = json!({"metadata": metadata, "secrets": secrets});
        flood::create::<ServiceAccount>(&world, account, numbers()).await;
        flood::create::<Service>(&world, json!({"metadata": metadata, "spec": service}), numbers()).await;
        flood::create::<PersistentVolumeClaim>(&world, json!({"metadata": metadata, "spec": volume}), numbers()).await;
    }
    let about = json!({"kind": "Job", "name": "job", "uid": "u".repeat(700_000), "namespace": world.namespace});
    let event = json!({"metadata": {"name": "flood-NUMBER"}, "involvedObject": about, "reason": "FailedCreate"});
    flood::create::<Event>(&world, event, 0..24).await;
    let program = Program::start(&home, &world);
    world.ready("lite").await;
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("lite").await;
    program.took_little_memory();
}

/// An element of two bytes can become a struct of three kilobytes. The owners exist, so the objects are kept as far as there is room.
#[tokio::test]
async fn objects_of_many_small_elements_cost_no_memory() {
    let world = World::alone("flood-e").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    for number in 0..24 {
        let name = format!("owner-{number}");
        let spec = json!({"hostname": format!("{name}.test"), "className": "nosuch"});
        let instance = world.make::<PdsInstance>(json!({"metadata": {"name": name}, "spec": spec})).await;
        let owner = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "name": name, "uid": instance.uid(),
            "controller": true,
        });
        let labels = json!({
            "app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": name,
            "auroralocus.dev/component": "pds",
        });
        let metadata = json!({"name": name, "labels": labels, "ownerReferences": [owner]});
        let account = json!({"metadata": metadata, "secrets": vec![json!({}); 20_000]});
        flood::create::<ServiceAccount>(&world, account, 0..1).await;
        let volumes: Vec<_> = (0..1_800).map(|n| json!({"name": format!("v{n}"), "emptyDir": {}})).collect();
        let containers = [json!({"name": "c", "image": "nosuch.test/image:1"})];
        let template = json!({
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": containers, "volumes": volumes, "restartPolicy": "Never"},
        });
        let job = json!({"metadata": metadata, "spec": {"suspend": true, "template": template}});
        flood::create::<Job>(&world, job, 0..1).await;
    }
    let program = Program::start(&home, &world);
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    program.took_little_memory();
}

/// F44.
#[tokio::test]
async fn many_large_secrets_with_our_labels_cost_no_memory() {
    stays_small::<Secret>("flood-s", "stringData").await;
}

#[tokio::test]
async fn many_large_config_maps_with_our_labels_cost_no_memory() {
    stays_small::<ConfigMap>("flood-c", "data").await;
}

/// A process that does nothing and looks well would be worse than one that is started again.
#[tokio::test]
async fn the_process_ends_when_its_controller_cannot_work() {
    let world = World::new("seed").await;
    let home = Home::new(&world, json!({})).await;
    write_secret(&Api::namespaced(world.client.clone(), &home.namespace), "aurora-locus-seed", &[("seed", "short")])
        .await;
    let mut program = Program::start(&home, &world);
    let status = eventually("the process ends", async || program.0.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(1));
    let mut words = String::new();
    std::io::Read::read_to_string(&mut program.0.stderr.take().unwrap(), &mut words).unwrap();
    let why = format!(
        "Secret {}/aurora-locus-seed, key seed: the operator's seed has 5 bytes and must have 32",
        home.namespace
    );
    assert!(words.contains(&why), "{words}");
}

#[tokio::test]
async fn it_leads_only_with_a_lease_and_ends_when_told() {
    let world = World::new("lead").await;
    let home = Home::new(&world, json!({})).await;
    let mut first = Program::start(&home, &world);
    let leases = Api::<Lease>::namespaced(world.client.clone(), &home.namespace);
    let holder = |lease: &Lease| lease.spec.as_ref()?.holder_identity.clone();
    let held =
        async || leases.list(&ListParams::default()).await.ok()?.items.pop().filter(|lease| holder(lease).is_some());
    let lease = eventually("the first leads", held).await;
    let (name, leads) = (lease.name_any(), holder(&lease));
    let _second = Program::start(&home, &world);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(held().await.as_ref().and_then(holder), leads);
    // A Lease that is given up has no holder until another takes it. One that runs out keeps its holder until then.
    let mut told = false;
    let next = watched(&leases, &name, |lease| {
        if holder(&lease) != leads {
            return Some(holder(&lease));
        }
        if !told {
            told = Command::new("kill").arg(first.0.id().to_string()).status().unwrap().success();
        }
        None
    });
    assert_eq!(next.await, Some(None), "the first gives the lease up");
    eventually("the second leads", held).await;
    assert_eq!(eventually("the first ends", async || first.0.try_wait().unwrap()).await.code(), Some(0));
}

/// Instances that cannot be read, with 1.3 MB of labels each, used to end the operator, and again after each start.
#[tokio::test]
async fn instances_that_cannot_be_read_cost_little_memory_and_no_neighbour() {
    let world = World::alone("flood-u").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    let api = world.api::<PdsInstance>();
    // Of the first ones the status can be written; the others have no room for it in etcd.
    let labels = |number: usize| {
        let count = if number < 2 { 50_000 } else { 120_000 };
        (0..count).map(|label| (format!("{label:05x}"), json!(""))).collect::<serde_json::Map<_, _>>()
    };
    let names: Vec<_> = (0..6).map(|number| format!("large-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let spec = json!({"hostname": format!("{name}.test"), "className": home.class, "database": {"sqlite": {}}});
        world.create(name, spec).await.unwrap();
        // Without managed fields there is room for as many labels.
        let patch = Patch::Merge(json!({"metadata": {"labels": labels(number), "managedFields": [{}]}}));
        api.patch_metadata(name, &Default::default(), &patch).await.unwrap();
    }
    // Once as a list, and then as changes, all at once.
    let program = Program::start(&home, &world);
    for name in &names[..2] {
        world.condition(name, "Stalled", "True", "Unreadable").await;
    }
    let touched = futures::stream::iter(&names).map(async |name| {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"00000": "touched"}, "managedFields": [{}]}}));
        api.patch_metadata(name, &Default::default(), &patch).await.unwrap();
    });
    touched.buffer_unordered(6).collect::<Vec<()>>().await;
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    program.took_little_memory();
}
