//! A process that dies after any of its writes leaves nothing that the next one does not bring to the same end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::runtime::events::Reporter;
use operator_api::PdsInstance;
use operator_controller::context::Ctx;
use operator_controller::controllers::pds_instance::reconcile;
use serde_json::{Value, json};

use super::harness::{SYSTEM, World, connect_through, eventually};
use super::s3;
use super::wire::Mortal;

/// One operator after another, all on the same instance.
struct Life {
    world: World,
    api: Api<PdsInstance>,
    process: Arc<Mortal>,
    ctx: Arc<Ctx>,
}

impl Life {
    async fn begin(database: &Value, dies_after: Option<usize>) -> Self {
        let world = World::new("crash").await;
        let pds = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance",
            "metadata": {"name": "full", "labels": {"alone": "1"}},
            "spec": {
                "hostname": "full.test", "className": "real", "database": database, "blobStore": {"s3": {}},
                "deletionPolicy": {"database": "Delete", "blobs": "Delete", "keys": "Delete"},
            },
        });
        let api = world.api::<PdsInstance>();
        api.create(&PostParams::default(), &serde_json::from_value(pds).unwrap()).await.unwrap();
        let (process, ctx) = process(dies_after).await;
        Self { world, api, process, ctx }
    }

    /// One reconciliation; if the process died in it, the next begins. Gives whether there was nothing to write.
    async fn step(&mut self, pds: PdsInstance) -> bool {
        let before = self.process.writes();
        reconcile(Arc::new(pds), self.ctx.clone()).await.unwrap();
        let quiet = self.process.writes() == before;
        if self.process.is_dead() {
            (self.process, self.ctx) = process(None).await;
            return false;
        }
        quiet
    }

    /// Reconciles until everything runs and nothing is left to write.
    async fn settle(&mut self) -> PdsInstance {
        let began = Instant::now();
        loop {
            let pds = self.api.get("full").await.unwrap();
            let quiet = self.step(pds.clone()).await;
            let conditions = pds.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
            let holds =
                |kind: &str, status: &str| conditions.iter().any(|found| found.type_ == kind && found.status == status);
            if quiet && holds("Ready", "True") && holds("Reconciling", "False") {
                return pds;
            }
            assert!(began.elapsed() < Duration::from_secs(90), "not settled: {conditions:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Deletes the instance and reconciles until it is gone.
    async fn end(&mut self) {
        self.api.delete("full", &DeleteParams::default()).await.unwrap();
        let began = Instant::now();
        while let Some(pds) = self.api.get_opt("full").await.unwrap() {
            self.step(pds).await;
            assert!(began.elapsed() < Duration::from_secs(60), "not gone");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn process(dies_after: Option<usize>) -> (Arc<Mortal>, Arc<Ctx>) {
    let process = Arc::new(Mortal::new(dies_after));
    let client = connect_through(process.clone()).await;
    let reporter = Reporter { controller: "test".into(), instance: None };
    let ctx = Ctx::new(client, SYSTEM.into(), reporter, Arc::default());
    (process, Arc::new(ctx))
}

/// Brings an instance up and down again; gives what it was in between, and the first process.
async fn live(database: &Value, dies_after: Option<usize>) -> (BTreeMap<String, Value>, Arc<Mortal>) {
    let mut life = Life::begin(database, dies_after).await;
    let first = life.process.clone();
    let pods = life.world.run_pods();
    let pds = life.settle().await;
    let bucket = pds.status.as_ref().unwrap().blob_store.as_ref().unwrap().bucket.clone().unwrap();
    let seen = everything(&life.world, &pds, &bucket).await;
    s3::put(&bucket, "blob").await;
    life.end().await;
    assert!(!s3::exists(&bucket).await, "killed after write {dies_after:?}: the bucket is left");
    assert!(!s3::user_exists(&bucket).await, "killed after write {dies_after:?}: its user is left");
    eventually("everything is gone", async || {
        let names = names(&life.world).await;
        if names.is_empty() { Some(()) } else { None }
    })
    .await;
    pods.abort();
    (seen, first)
}

/// In a thread of its own, because the futures of a debug build are large.
fn live_apart(database: &Value, dies_after: Option<usize>) -> (BTreeMap<String, Value>, Arc<Mortal>) {
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
    let (undisturbed, process) = live_apart(database, None);
    let writes = process.writes();
    let names: Vec<_> = undisturbed.keys().collect();
    assert!(names.len() > 8 && writes > 15, "{writes} writes, {names:?}");
    let (next, died) = (AtomicUsize::new(1), AtomicUsize::new(0));
    let others = || {
        loop {
            let last = next.fetch_add(1, Ordering::SeqCst);
            if last > writes {
                return;
            }
            let (seen, process) = live_apart(database, Some(last));
            died.fetch_add(process.is_dead().into(), Ordering::SeqCst);
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
    assert!(died + 6 > writes, "{died} of {writes} died");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_seen_yet_a_look_costs_few_requests() {
    let mut life = Life::begin(&json!({"postgres": {}}), None).await;
    let pods = life.world.run_pods();
    let pds = life.settle().await;
    let before = (life.process.writes(), life.process.requests());
    life.step(pds).await;
    assert_eq!(life.process.writes(), before.0);
    let requests = life.process.requests() - before.1;
    assert!(requests <= 32, "{requests} requests without a cache");
    life.end().await;
    pods.abort();
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
    let mut unique = vec![(world.namespace.clone(), "NAMESPACE"), (bucket.to_owned(), "BUCKET")];
    unique.push((pds.uid().unwrap(), "UID"));
    for (kind, object) in &all {
        unique.push((text(&object["metadata"]["uid"]), "UID"));
        if let Some(hash) =
            text(&object["metadata"]["name"]).strip_prefix("full-config-").filter(|_| *kind == "ConfigMap")
        {
            unique.push((hash.to_owned(), "HASH"));
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
    for hash in ["auroralocus.dev/applied-hash", "auroralocus.dev/secrets-version"] {
        for at in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
            if let Some(annotations) = object.pointer_mut(at).and_then(Value::as_object_mut) {
                annotations.remove(hash);
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
        for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            condition["lastTransitionTime"] = Value::Null;
        }
    }
    object
}
