//! One controller for all tests, and a namespace for each.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, CustomResourceExt, ResourceExt};
use operator_api::{PdsClass, PdsInstance};
use operator_controller::run::{Options, operate};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::wire::{Alone, Traffic, through};

/// The namespace of the operator.
pub(crate) const SYSTEM: &str = "aurora-system";

/// A namespace of its own.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

static STARTED: OnceCell<()> = OnceCell::const_new();
/// What the operator asked of the API server.
static TRAFFIC: LazyLock<Arc<Traffic>> = LazyLock::new(Arc::default);

async fn config() -> Config {
    let path = variable("AURORA_TEST_KUBECONFIG");
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set; `make test` starts what the tests need and sets it"))
}

async fn connect() -> Client {
    Client::try_from(config().await).unwrap()
}

/// A client whose requests pass a gate.
pub(crate) async fn connect_through(gate: Arc<impl super::wire::Gate>) -> Client {
    through(config().await, gate)
}

/// Installs the kinds and a class, and runs the operator in a thread that outlives each test's runtime.
async fn start() {
    let client = connect().await;
    let crds = Api::<CustomResourceDefinition>::all(client.clone());
    for crd in [PdsInstance::crd(), PdsClass::crd()] {
        let name = crd.name_any();
        crds.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(crd)).await.unwrap();
        eventually("the kind is served", async || {
            let crd = crds.get(&name).await.ok()?;
            let conditions = crd.status?.conditions?;
            conditions.iter().any(|found| found.type_ == "Established" && found.status == "True").then_some(())
        })
        .await;
    }
    create_namespace(&client, SYSTEM).await;
    super::rights::grant(&client).await;
    let secret = |id: &str, key: &str| [("accessKeyId", id.to_owned()), ("secretAccessKey", key.to_owned())];
    let real = secret(&variable("AURORA_TEST_S3_ACCESS_KEY"), &variable("AURORA_TEST_S3_SECRET_KEY"));
    for (name, values) in [("s3-admin", secret("a", "b")), ("s3-real", real.clone()), ("s3-static", real)] {
        let admin = Secret {
            metadata: ObjectMeta { name: Some(name.into()), ..Default::default() },
            string_data: Some(values.map(|(key, value)| (key.into(), value)).into()),
            ..Default::default()
        };
        ignore_conflict(Api::namespaced(client.clone(), SYSTEM).create(&PostParams::default(), &admin).await);
    }
    let real = variable("AURORA_TEST_S3_ENDPOINT");
    // The first is an address where nobody answers: the bucket stage fails, the others go on.
    create_class(&client, "standard", true, "http://127.0.0.1:9", "s3-admin", "Versitygw").await;
    create_class(&client, "real", false, &real, "s3-real", "Versitygw").await;
    create_class(&client, "static", false, &real, "s3-static", "Static").await;
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = Options {
                namespace: SYSTEM.into(),
                identity: "test".into(),
                listen: "127.0.0.1:0".parse().unwrap(),
                concurrency: 8,
            };
            let client = connect_through(Arc::new(Alone(TRAFFIC.clone()))).await;
            operate(client, options, CancellationToken::new()).await.unwrap();
        });
    });
}

impl World {
    pub(crate) async fn new(name: &str) -> Self {
        STARTED.get_or_init(start).await;
        let client = connect().await;
        let namespace = format!("{name}-{}", uuid::Uuid::new_v4().simple());
        create_namespace(&client, &namespace).await;
        Self { client, namespace }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an instance.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> kube::Result<PdsInstance> {
        let pds = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "metadata": {"name": name}, "spec": spec,
        });
        self.api().create(&PostParams::default(), &serde_json::from_value(pds).unwrap()).await
    }

    /// What the operator asked of the API server about this namespace: verb and path.
    pub(crate) fn traffic(&self) -> Vec<String> {
        TRAFFIC.about(&self.namespace)
    }

    /// Merges something into the spec of an instance.
    pub(crate) async fn edit(&self, name: &str, spec: Value) -> kube::Result<PdsInstance> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api().patch(name, &PatchParams::default(), &patch).await
    }

    /// There is no node, so this says what one would: migrations succeed, other pods are ready. Ends with the test.
    pub(crate) fn run_pods(&self) -> tokio::task::JoinHandle<()> {
        let pods = self.api::<Pod>();
        tokio::spawn(async move {
            loop {
                for pod in pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
                    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                    if phase == Some("Pending") && pod.metadata.deletion_timestamp.is_none() {
                        let patch = Patch::Merge(json!({"status": outcome(&pod)}));
                        pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.ok();
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    }

    /// Waits until a condition has this status and reason.
    pub(crate) async fn condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> PdsInstance {
        let api = self.api::<PdsInstance>();
        eventually(&format!("{name}: {kind}={status} {reason}"), async || {
            let pds = api.get(name).await.ok()?;
            let conditions = &pds.status.as_ref()?.conditions;
            let found = conditions.iter().find(|found| found.type_ == kind)?;
            (found.status == status && found.reason == reason).then_some(pds)
        })
        .await
    }

    /// Deletes an instance and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        let api = self.api::<PdsInstance>();
        api.delete(name, &DeleteParams::default()).await.unwrap();
        eventually("the instance is gone", async || api.get_opt(name).await.ok()?.is_none().then_some(())).await;
    }
}

fn outcome(pod: &Pod) -> Value {
    if pod.labels().get("app.kubernetes.io/component").is_some_and(|component| component == "migrate") {
        return json!({"phase": "Succeeded"});
    }
    let now = jiff::Timestamp::now().to_string();
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": now});
    json!({"phase": "Running", "conditions": [ready]})
}

/// A class with an S3 service, whose credential is in a Secret of the operator's namespace.
pub(crate) async fn create_class(
    client: &Client,
    name: &str,
    default: bool,
    endpoint: &str,
    secret: &str,
    provisioner: &str,
) {
    let s3 = json!({"endpoint": endpoint, "adminSecretName": secret, "provisioner": provisioner});
    let class = json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": name},
        "spec": {
            "default": default, "images": {"pds": "pds:1.0.0", "postgres": "postgres:17"}, "plcUrl": "http://plc.test",
            "s3": s3, "limits": {"maxReplicas": 3}
        }
    });
    let classes = Api::<PdsClass>::all(client.clone());
    classes.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap();
}

async fn create_namespace(client: &Client, name: &str) {
    let metadata = ObjectMeta { name: Some(name.into()), ..Default::default() };
    let namespace = Namespace { metadata, ..Default::default() };
    ignore_conflict(Api::all(client.clone()).create(&PostParams::default(), &namespace).await);
}

fn ignore_conflict<T>(result: kube::Result<T>) {
    if let Err(error) = result {
        assert!(matches!(&error, kube::Error::Api(status) if status.code == 409), "{error}");
    }
}

/// Asks until there is an answer, for 90 seconds: the garbage collector looks for new kinds every 30 seconds only.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{what}: not within 90 seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
