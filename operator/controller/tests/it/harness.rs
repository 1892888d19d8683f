//! One controller for all tests, and a namespace for each.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, CustomResourceExt, ResourceExt};
use operator_api::{PdsClass, PdsInstance};
use operator_controller::run::{Options, operate};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// The namespace of the operator.
pub(crate) const SYSTEM: &str = "aurora-system";

/// A namespace of its own.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

static STARTED: OnceCell<()> = OnceCell::const_new();

async fn connect() -> Client {
    let path = std::env::var("AURORA_TEST_KUBECONFIG").unwrap_or_else(|_| {
        panic!("AURORA_TEST_KUBECONFIG names no kubeconfig; `make test` starts an API server and sets it")
    });
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
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
    // An address where nobody answers: the bucket stage fails, the others go on.
    let class = json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": "standard"},
        "spec": {
            "default": true, "images": {"pds": "pds:1.0.0", "postgres": "postgres:17"}, "plcUrl": "http://plc.test",
            "s3": {"endpoint": "http://127.0.0.1:9", "adminSecretName": "s3-admin", "provisioner": "Versitygw"},
            "limits": {"maxReplicas": 3}
        }
    });
    let classes = Api::<PdsClass>::all(client.clone());
    classes.patch("standard", &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap();
    let admin = Secret {
        metadata: ObjectMeta { name: Some("s3-admin".into()), ..Default::default() },
        string_data: Some([("accessKeyId", "a"), ("secretAccessKey", "b")].map(|(k, v)| (k.into(), v.into())).into()),
        ..Default::default()
    };
    ignore_conflict(Api::namespaced(client, SYSTEM).create(&PostParams::default(), &admin).await);
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let options = Options {
                namespace: SYSTEM.into(),
                identity: "test".into(),
                listen: "127.0.0.1:0".parse().unwrap(),
                concurrency: 8,
            };
            operate(connect().await, options, CancellationToken::new()).await.unwrap();
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

/// Asks until there is an answer, for 30 seconds.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: not within 30 seconds");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
