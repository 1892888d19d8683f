//! A process that dies after any of its writes leaves nothing that the next one does not bring to the same end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use operator_api::{PdsHostnameClaim, PdsInstance};
use operator_controller::kinds::pds_instance::component::hostname::claim_name;
use serde_json::{Value, json};

use super::harness::{World, bucket, eventually};
use super::home::Home;
use super::operator::Process;
use super::s3;

/// One operator after another, all on the same instance.
struct Life {
    world: World,
    home: Home,
    process: Process,
}

impl Life {
    async fn begin(database: &Value, dies_after: Option<usize>) -> Self {
        let world = World::new("crash").await;
        let home = Home::new(&world, json!({})).await;
        let spec = json!({
            "hostname": "full.test", "className": home.class, "database": database, "blobStore": {"s3": {}},
            "deletionPolicy": {"database": "Delete", "blobs": "Delete", "keys": "Delete"},
        });
        world.create("full", spec).await.unwrap();
        let process = home.start(dies_after).await;
        Self { world, home, process }
    }

    /// If the process died, the next begins.
    async fn go_on(&mut self) {
        if self.process.gate.is_dead() {
            self.process = self.home.start(None).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// Waits until everything runs and nothing was written for a while.
    async fn settle(&mut self) -> PdsInstance {
        let (began, mut quiet, mut writes) = (Instant::now(), Instant::now(), 0);
        loop {
            self.go_on().await;
            if writes != self.process.gate.writes() {
                (quiet, writes) = (Instant::now(), self.process.gate.writes());
            }
            let pds = self.world.api::<PdsInstance>().get("full").await.unwrap();
            let conditions = pds.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
            let holds =
                |kind: &str, status: &str| conditions.iter().any(|found| found.type_ == kind && found.status == status);
            let settled = holds("Ready", "True") && holds("Reconciling", "False");
            if settled && quiet.elapsed() > Duration::from_secs(1) && !self.process.gate.is_dead() {
                return pds;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "not settled: {conditions:#?}");
        }
    }

    /// Deletes the instance and waits until it is gone.
    async fn end(&mut self) {
        let api = self.world.api::<PdsInstance>();
        api.delete("full", &DeleteParams::default()).await.unwrap();
        let began = Instant::now();
        while let Some(pds) = api.get_opt("full").await.unwrap() {
            self.go_on().await;
            assert!(began.elapsed() < Duration::from_secs(90), "not gone: {:#?}", pds.status.unwrap().conditions);
        }
    }
}

/// Brings an instance up and down again; gives what it was in between, and how many writes the first process did.
async fn live(database: &Value, dies_after: Option<usize>) -> (BTreeMap<String, Value>, usize) {
    let mut life = Life::begin(database, dies_after).await;
    let first = life.process.gate.clone();
    let _node = life.world.run_pods();
    let pds = life.settle().await;
    let bucket = bucket(&pds);
    let seen = everything(&life.world, &pds, &bucket).await;
    s3::put(&bucket, "blob").await;
    life.end().await;
    assert!(!s3::exists(&bucket).await, "killed after write {dies_after:?}: the bucket is left");
    assert!(!s3::user_exists(&bucket).await, "killed after write {dies_after:?}: its user is left");
    let claims = Api::<PdsHostnameClaim>::all(life.world.client.clone());
    let claim = claims.get_opt(&claim_name(&life.world.hostname("full"))).await.unwrap();
    assert!(claim.is_none(), "killed after write {dies_after:?}: the hostname is held");
    eventually("everything is gone", async || names(&life.world).await.is_empty().then_some(())).await;
    (seen, first.writes())
}

/// In a thread of its own, because the futures of a debug build are large.
fn live_apart(database: &Value, dies_after: Option<usize>) -> (BTreeMap<String, Value>, usize) {
    let database = database.clone();
    let apart = std::thread::Builder::new().stack_size(16 << 20).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(&database, dies_after))
    });
    apart.unwrap().join().unwrap()
}

#[test]
fn killed_after_any_write_it_ends_the_same() {
    compare(&json!({"postgres": {}}));
}

#[test]
fn killed_after_any_write_it_ends_the_same_with_sqlite() {
    compare(&json!({"sqlite": {}}));
}

/// Lives that end early against one that does not.
fn compare(database: &Value) {
    let (undisturbed, writes) = live_apart(database, None);
    let names: Vec<_> = undisturbed.keys().collect();
    assert!(names.len() > 8 && writes > 15, "{writes} writes, {names:?}");
    let (next, died) = (AtomicUsize::new(1), AtomicUsize::new(0));
    let others = || {
        loop {
            let last = next.fetch_add(1, Ordering::SeqCst);
            if last > writes {
                return;
            }
            let (seen, reached) = live_apart(database, Some(last));
            died.fetch_add((reached >= last).into(), Ordering::SeqCst);
            for (name, object) in &undisturbed {
                assert_eq!(seen.get(name), Some(object), "killed after write {last}: {name}");
            }
            assert_eq!(seen.len(), undisturbed.len(), "killed after write {last}: {:?}", seen.keys());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(others);
        }
    });
    // Statuses differ from run to run, so the last ones may not be reached.
    let died = died.into_inner();
    assert!(died + 10 > writes, "{died} of {writes} died");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_writes_nothing_about_what_is_as_it_should_be() {
    let mut life = Life::begin(&json!({"postgres": {}}), None).await;
    let _node = life.world.run_pods();
    let before = life.settle().await;
    life.process = life.home.start(None).await;
    let gate = life.process.gate.clone();
    let path = format!("/namespaces/{}/", life.world.namespace);
    eventually("the keys are read", async || gate.traffic(&format!("{path}secrets/full-keys")).first().map(|_| ()))
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let lines = gate.traffic("");
    let writes: Vec<_> = lines.iter().filter(|line| !line.starts_with("GET")).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    // A list per kind; of the instance's objects only Secrets are fetched.
    let about: Vec<_> = gate.traffic(&path).into_iter().filter(|line| line.contains("/full")).collect();
    assert!(about.len() <= 6, "{about:#?}");
    assert!(lines.len() <= 40, "{lines:#?}");
    let after = life.world.api::<PdsInstance>().get("full").await.unwrap();
    assert_eq!(before.resource_version(), after.resource_version());
    life.end().await;
}

macro_rules! each_kind {
    ($do:ident!($($argument:expr),*)) => {
        each_kind!(@ $do ($($argument),*) Deployment StatefulSet Job Service ConfigMap ServiceAccount NetworkPolicy
            PodDisruptionBudget PersistentVolumeClaim Secret)
    };
    (@ $do:ident $arguments:tt $($kind:ident)*) => { $($do!($kind $arguments);)* };
}

async fn names(world: &World) -> Vec<String> {
    let mut names = Vec::new();
    macro_rules! name {
        ($kind:ident ()) => {
            let all = world.api::<$kind>().list(&ours()).await.unwrap();
            names.extend(all.iter().map(|object| format!("{} {}", stringify!($kind), object.name_any())));
        };
    }
    each_kind!(name!());
    names
}

fn ours() -> ListParams {
    ListParams::default().labels("app.kubernetes.io/managed-by=aurora-locus-operator")
}

/// Every object of the instance and the instance itself, without what differs from run to run.
async fn everything(world: &World, pds: &PdsInstance, bucket: &str) -> BTreeMap<String, Value> {
    let mut all = Vec::new();
    macro_rules! read {
        ($kind:ident ()) => {
            for object in world.api::<$kind>().list(&ours()).await.unwrap() {
                all.push((stringify!($kind), serde_json::to_value(object).unwrap()));
            }
        };
    }
    each_kind!(read!());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut unique = vec![(bucket.to_owned(), "BUCKET"), (world.namespace.clone(), "NAMESPACE")];
    unique.push((pds.uid().unwrap(), "UID"));
    for (kind, object) in &all {
        unique.push((text(&object["metadata"]["uid"]), "UID"));
        // Named by settings with the bucket's name, and by the keys.
        let name = text(&object["metadata"]["name"]);
        for (of, prefix) in [("ConfigMap", "full-config-"), ("Job", "full-migrate-")] {
            if let Some(hash) = name.strip_prefix(prefix).filter(|_| *kind == of) {
                unique.push((hash.to_owned(), "HASH"));
            }
        }
    }
    all.push(("PdsInstance", json!({"metadata": {"name": "full"}, "status": pds.status})));
    all.into_iter()
        .map(|(kind, object)| {
            let mut json = serde_json::to_string(&plain(kind, object)).unwrap();
            for (from, to) in &unique {
                json = json.replace(from, to);
            }
            let object: Value = serde_json::from_str(&json).unwrap();
            (format!("{kind} {}", text(&object["metadata"]["name"])), object)
        })
        .collect()
}

fn plain(kind: &str, mut object: Value) -> Value {
    if kind != "PdsInstance" {
        object["status"] = Value::Null;
    }
    for field in ["creationTimestamp", "managedFields", "resourceVersion"] {
        object["metadata"][field] = Value::Null;
    }
    for hash in ["applied-hash", "template-hash", "secrets-version", "fingerprint"] {
        for at in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
            if let Some(annotations) = object.pointer_mut(at).and_then(Value::as_object_mut) {
                annotations.remove(&format!("auroralocus.dev/{hash}"));
            }
        }
    }
    if kind == "Service" {
        object["spec"]["clusterIP"] = Value::Null;
        object["spec"]["clusterIPs"] = Value::Null;
    }
    if kind == "Secret" {
        let keys: Vec<String> = object["data"].as_object().unwrap().keys().cloned().collect();
        object["data"] = json!(keys);
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        if let Some(keys) = status.get_mut("keys") {
            keys["fingerprint"] = Value::Null;
        }
        if let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) {
            conditions.iter_mut().for_each(|condition| condition["lastTransitionTime"] = Value::Null);
            conditions.sort_by_key(|condition| condition["type"].to_string());
        }
    }
    object
}
