//! One operator for most tests, and a namespace for each.

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, Resource};
use kube::{Client, ResourceExt};
use operator_api::{PdsClass, PdsInstance};
use operator_controller::crd;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::cluster::Presence;
use super::environment::config;
pub(crate) use super::environment::variable;
use super::operator::{Process, options};
use super::rights;
pub(crate) use super::wait::eventually;
use super::wait::{PATIENCE, watched};
use super::wire::{Gate, Spoil};

/// The namespace of the shared operator.
pub(crate) const SYSTEM: &str = "aurora-system";

/// A namespace of its own.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    _presence: Arc<Presence>,
}

static STARTED: OnceCell<Process> = OnceCell::const_new();
static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| Arc::new(Gate::new(&rights::user(SYSTEM), None)));

/// Installs the kinds and the classes, and starts the operator.
async fn start() -> Process {
    let client = Client::try_from(config().await).unwrap();
    for definition in crd::definitions() {
        define(&client, &definition).await;
    }
    create_namespace(&client, SYSTEM).await;
    rights::roles(&client).await;
    rights::grant(&client, SYSTEM, &[]).await;
    write_admins(&client, SYSTEM).await;
    // An address where nobody answers: the bucket fails, the others go on.
    let nobody = json!({"endpoint": "http://127.0.0.1:9", "adminSecretName": "s3-nobody"});
    write_class(&client, "standard", json!({"default": true, "objectStore": nobody})).await;
    write_class(&client, "real", json!({})).await;
    Process::begin(GATE.clone(), options(SYSTEM))
}

/// Writes a definition and waits until its kind is served.
pub(crate) async fn define(client: &Client, definition: &CustomResourceDefinition) {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let name = definition.name_any();
    api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(definition)).await.unwrap();
    eventually("the kind is served", async || {
        let conditions = api.get(&name).await.ok()?.status?.conditions?;
        conditions.iter().any(|found| found.type_ == "Established" && found.status == "True").then_some(())
    })
    .await;
}

/// The administrator's credentials that classes name.
pub(crate) async fn write_admins(client: &Client, namespace: &str) {
    let secrets = Api::namespaced(client.clone(), namespace);
    let (id, key) = (variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
    write_secret(&secrets, "s3-nobody", &[("accessKeyId", "a"), ("secretAccessKey", "b")]).await;
    write_secret(&secrets, "s3-real", &[("accessKeyId", &id), ("secretAccessKey", &key)]).await;
}

pub(crate) async fn write_secret(secrets: &Api<Secret>, name: &str, values: &[(&str, &str)]) {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let metadata = ObjectMeta { name: Some(name.into()), ..Default::default() };
    let secret = Secret { metadata, string_data: Some(values), ..Default::default() };
    secrets.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&secret)).await.unwrap();
}

/// Writes a class whose spec is `change` over the usual one.
pub(crate) async fn write_class(client: &Client, name: &str, change: Value) {
    let store = json!({
        "provisioner": "Versitygw", "endpoint": variable("AURORA_TEST_S3_ENDPOINT"), "adminSecretName": "s3-real", "isolation": "Waived",
    });
    let mut spec = json!({
        "images": {"pds": "pds:1.0.0", "postgres": "postgres:17"}, "plcUrl": "http://plc.test",
        "objectStore": store, "limits": {"maxReplicas": 3},
    });
    merge(&mut spec, change);
    if let Some(store) = spec["objectStore"].as_object_mut().filter(|store| store["provisioner"] != "Versitygw") {
        store.remove("isolation");
    }
    let class = json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": name}, "spec": spec,
    });
    let classes = Api::<PdsClass>::all(client.clone());
    classes.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap();
}

/// Merges as a merge patch does: null removes.
pub(crate) fn merge(target: &mut Value, change: Value) {
    match change {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = json!({});
            }
            for (key, value) in fields {
                if value.is_null() {
                    target.as_object_mut().unwrap().remove(&key);
                } else {
                    merge(&mut target[&key], value);
                }
            }
        }
        other => *target = other,
    }
}

/// What a test leaves would be reconciled as long as the others run. After a failure it stays for people to look at.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let namespace = self.namespace.clone();
        let cleanup = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let namespaces = Api::<Namespace>::all(Client::try_from(config().await).unwrap());
                namespaces.delete(&namespace, &DeleteParams::default()).await.ok();
            });
        });
        cleanup.join().ok();
    }
}

impl World {
    pub(crate) async fn new(name: &str) -> Self {
        Self::with(name, Presence::among().await).await
    }

    /// For a test that changes what all tests use: it begins when no other test is left.
    pub(crate) async fn alone(name: &str) -> Self {
        Self::with(name, Presence::alone().await).await
    }

    async fn with(name: &str, presence: Presence) -> Self {
        STARTED.get_or_init(start).await;
        let client = Client::try_from(config().await).unwrap();
        let namespace = format!("{name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        create_namespace(&client, &namespace).await;
        Self { client, namespace, _presence: Arc::new(presence) }
    }

    /// Another namespace for the same test.
    pub(crate) async fn neighbour(&self) -> Self {
        let namespace = format!("{}-b", self.namespace);
        create_namespace(&self.client, &namespace).await;
        Self { client: self.client.clone(), namespace, _presence: self._presence.clone() }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A class of this world, with `change` over the usual spec. Called again, it edits the class.
    pub(crate) async fn class(&self, change: Value) -> String {
        write_class(&self.client, &self.namespace, change).await;
        self.namespace.clone()
    }

    /// A hostname that no other test has.
    pub(crate) fn hostname(&self, name: &str) -> String {
        format!("{name}.{}.test", self.namespace)
    }

    /// Creates an instance. Its hostname, if it ends in `.test`, gets the namespace in its middle, because it may exist once only.
    pub(crate) async fn create(&self, name: &str, mut spec: Value) -> kube::Result<PdsInstance> {
        let hostname = spec["hostname"].as_str().unwrap_or_default();
        if let Some(first) = hostname.strip_suffix(".test") {
            spec["hostname"] = json!(self.hostname(first));
        }
        self.create_exactly(name, spec).await
    }

    /// Creates an instance with the spec as it is.
    pub(crate) async fn create_exactly(&self, name: &str, spec: Value) -> kube::Result<PdsInstance> {
        let pds = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "metadata": {"name": name}, "spec": spec,
        });
        self.api().create(&PostParams::default(), &serde_json::from_value(pds).unwrap()).await
    }

    /// What the shared operator asked of the API server about this namespace: verb and path.
    pub(crate) fn traffic(&self) -> Vec<String> {
        GATE.traffic(&self.namespace)
    }

    /// Spoils requests of the shared operator with this verb and path until they are mended.
    pub(crate) fn spoil(&self, line: &str, how: Spoil) {
        assert!(line.contains(&self.namespace), "{line} may be of another test");
        GATE.spoil(line, how);
    }

    /// Lets these requests through again.
    pub(crate) fn mend(&self, line: &str) {
        GATE.mend(line);
    }

    /// Merges something into the spec of an instance.
    pub(crate) async fn edit(&self, name: &str, spec: Value) -> kube::Result<PdsInstance> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api().patch(name, &PatchParams::default(), &patch).await
    }

    /// Creates an object of any kind from JSON.
    pub(crate) async fn make<K>(&self, object: Value) -> DynamicObject
    where
        K: Resource<DynamicType = ()>,
    {
        let mut object = object;
        object["apiVersion"] = json!(K::api_version(&()));
        object["kind"] = json!(K::kind(&()));
        let api = Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<K>(&()));
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
    }

    /// Waits until a condition has this status and reason.
    pub(crate) async fn condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> PdsInstance {
        self.conditions(name, &[(kind, status, reason)]).await
    }

    /// Waits until the instance runs and nothing is left to do.
    pub(crate) async fn ready(&self, name: &str) -> PdsInstance {
        self.conditions(name, &[("Ready", "True", "AsExpected"), ("Reconciling", "False", "AsExpected")]).await
    }

    /// Waits until several conditions have their status and reason.
    async fn conditions(&self, name: &str, wanted: &[(&str, &str, &str)]) -> PdsInstance {
        let (api, mut seen) = (self.api::<PdsInstance>(), Vec::new());
        let found = watched(&api, name, |pds: PdsInstance| {
            let conditions = pds.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let holds = |(kind, status, reason): &(&str, &str, &str)| {
                let found = conditions.iter().find(|found| found.type_ == *kind);
                found.is_some_and(|found| found.status == *status && found.reason == *reason)
            };
            if wanted.iter().all(holds) {
                return Some(pds);
            }
            let line =
                |found: &Condition| format!("{}={} {}: {}", found.type_, found.status, found.reason, found.message);
            seen = conditions.iter().map(line).collect();
            None
        });
        found.await.unwrap_or_else(|| panic!("{name}: {wanted:?} not within {PATIENCE:?}, but\n{}", seen.join("\n")))
    }

    /// Deletes an instance and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        self.api::<PdsInstance>().delete(name, &DeleteParams::default()).await.unwrap();
        self.gone::<PdsInstance>(name).await;
    }

    /// Waits until an object is gone.
    pub(crate) async fn gone<K>(&self, name: &str)
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api = self.api::<K>();
        let what = format!("{} {name} is gone", K::kind(&()));
        eventually(&what, async || api.get_metadata_opt(name).await.ok()?.is_none().then_some(())).await;
    }
}

impl World {
    /// Waits for an Event about an instance that has `part` in its note; gives the note.
    pub(crate) async fn event(&self, reason: &str, part: &str) -> String {
        eventually(&format!("an Event {reason} with {part:?}"), async || {
            let all = self.api::<Event>().list(&ListParams::default()).await.ok()?;
            let about = |event: &Event| {
                event.reason.as_deref() == Some(reason)
                    && event.regarding.as_ref().is_some_and(|about| about.kind.as_deref() == Some("PdsInstance"))
            };
            all.into_iter().filter(about).find_map(|event| event.note.filter(|note| note.contains(part)))
        })
        .await
    }
}

/// The message of a condition.
pub(crate) fn message(pds: &PdsInstance, kind: &str) -> String {
    let conditions = &pds.status.as_ref().unwrap().conditions;
    conditions.iter().find(|found| found.type_ == kind).unwrap().message.clone()
}

/// The bucket of an instance.
pub(crate) fn bucket(pds: &PdsInstance) -> String {
    pds.status.clone().unwrap().blob_store.unwrap().bucket.unwrap()
}

pub(crate) async fn create_namespace(client: &Client, name: &str) {
    let metadata = ObjectMeta { name: Some(name.into()), ..Default::default() };
    let namespace = Namespace { metadata, ..Default::default() };
    let made = Api::all(client.clone()).create(&PostParams::default(), &namespace).await;
    assert!(!matches!(&made, Err(error) if !is_conflict(error)), "{made:?}");
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
