//! The cluster that the tests run on, and its platform: S3 server, PLC directory, certificate authority.

use std::{env, path::PathBuf, process::Stdio};

use anyhow::{Context, Result, bail};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use k8s_openapi::{
    ByteString,
    api::core::v1::{Namespace, Pod, Secret},
};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::process::Command;

/// Clients and addresses of the cluster and its platform. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
    /// Base URL of the PLC directory for the test program.
    pub plc_url: String,
    /// PEM file of the authority that signed the instances' certificates.
    pub ca_file: PathBuf,
    s3_endpoint: String,
    s3_access_key: String,
    s3_secret_key: String,
}

/// A variable that `e2e/install` wrote.
pub(crate) fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: run `make test`, which brings the cluster up"))
}

impl Cluster {
    /// Connects to the cluster and platform that the variables `AURORA_E2E_*` name.
    pub async fn connect() -> Result<Self> {
        // Every test of the process calls this. Only the first call installs the provider; the later ones fail, which does no harm.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(variable("AURORA_E2E_KUBECONFIG")?)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self {
            client: Client::try_from(config)?,
            plc_url: variable("AURORA_E2E_PLC_URL")?,
            ca_file: variable("AURORA_E2E_CA")?.into(),
            s3_endpoint: variable("AURORA_E2E_S3_ENDPOINT")?,
            s3_access_key: variable("AURORA_E2E_S3_ACCESS_KEY")?,
            s3_secret_key: variable("AURORA_E2E_S3_SECRET_KEY")?,
        })
    }

    /// Creates a namespace with a random suffix, under the `restricted` Pod Security profile.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let namespace: Namespace = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        }))?;
        Api::<Namespace>::all(self.client.clone()).create(&PostParams::default(), &namespace).await?;
        Ok(name)
    }

    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        Api::<Namespace>::all(self.client.clone()).delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// The API of `PdsInstance` without Rust types, so that tests write manifests like users do.
    pub fn instances(&self, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: "auroralocus.dev".into(),
            version: "v1alpha1".into(),
            api_version: "auroralocus.dev/v1alpha1".into(),
            kind: "PdsInstance".into(),
            plural: "pdsinstances".into(),
        };
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// Applies a `PdsInstance` like `kubectl apply --server-side` does.
    pub async fn apply(&self, namespace: &str, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
        let object = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        });
        self.instances(namespace).patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(object)).await
    }

    /// The access key and the secret key of the administrator of the platform's S3 service.
    pub fn s3_administrator(&self) -> (&str, &str) {
        (&self.s3_access_key, &self.s3_secret_key)
    }

    fn classes(&self) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: "auroralocus.dev".into(),
            version: "v1alpha1".into(),
            api_version: "auroralocus.dev/v1alpha1".into(),
            kind: "PdsClass".into(),
            plural: "pdsclasses".into(),
        };
        Api::all_with(self.client.clone(), &resource)
    }

    /// The spec of a class.
    pub async fn class(&self, name: &str) -> Result<Value> {
        Ok(self.classes().get(name).await?.data["spec"].clone())
    }

    /// Creates a class like the platform's, whose instances bring their buckets. Returns its name.
    pub async fn class_with_given_buckets(&self, name: &str) -> Result<String> {
        self.class_like_standard(name, json!({"objectStore": {"provisioner": "Given"}})).await
    }

    /// Creates a class like the platform's with other top-level fields. Returns its name.
    pub async fn class_like_standard(&self, name: &str, fields: Value) -> Result<String> {
        let mut spec = self.class("standard").await?;
        spec["default"] = json!(false);
        if let (Some(spec), Value::Object(fields)) = (spec.as_object_mut(), fields) {
            spec.extend(fields);
        }
        let object = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": name}, "spec": spec,
        });
        self.classes().patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(object)).await?;
        Ok(name.to_owned())
    }

    pub async fn delete_class(&self, name: &str) -> Result<()> {
        self.classes().delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        <K as kube::Resource>::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The names of all objects of a core kind in a namespace.
    pub async fn names(&self, namespace: &str, kind: &str) -> Result<Vec<String>> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
        let objects = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &resource);
        Ok(objects.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect())
    }

    /// The value of a key of a Secret. An error if it is not UTF-8.
    pub async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<String> {
        let secret =
            self.api::<Secret>(namespace).get(name).await.with_context(|| format!("secret {namespace}/{name}"))?;
        let ByteString(bytes) = secret
            .data
            .unwrap_or_default()
            .remove(key)
            .with_context(|| format!("secret {namespace}/{name} has no {key}"))?;
        Ok(String::from_utf8(bytes)?)
    }

    /// The pods that match a label selector, without those that are being deleted.
    pub async fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
        let pods = self.api::<Pod>(namespace).list(&ListParams::default().labels(selector)).await?;
        Ok(pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
    }

    /// Kills a pod with SIGKILL and without grace period.
    pub async fn kill_pod(&self, namespace: &str, name: &str) -> Result<()> {
        self.api::<Pod>(namespace).delete(name, &DeleteParams::default().grace_period(0)).await?;
        Ok(())
    }

    /// Creates a Secret of type `kubernetes.io/tls` with a certificate for `names` from the tests' authority.
    pub async fn tls_secret(&self, namespace: &str, secret: &str, names: &[&str]) -> Result<()> {
        let (issue, folder) = (concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/ca"), variable("AURORA_E2E_CA_FOLDER")?);
        let output = Command::new(issue)
            .args([&folder, "issue", &format!("{namespace}-{secret}")])
            .args(names)
            .stderr(Stdio::inherit())
            .output()
            .await?;
        if !output.status.success() {
            bail!("{issue} {names:?} ended with {}", output.status);
        }
        let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        let read = |file: &str| {
            std::fs::read_to_string(folder.join(file)).with_context(|| format!("{}/{file}", folder.display()))
        };
        let object: Secret = serde_json::from_value(json!({
            "metadata": {"name": secret}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": read("tls.crt")?, "tls.key": read("tls.key")?},
        }))?;
        self.api::<Secret>(namespace).create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// An S3 client with the given access key and secret key, or those of the platform's administrator.
    pub fn s3(&self, credentials: Option<(&str, &str)>) -> aws_sdk_s3::Client {
        let (access, secret) = credentials.unwrap_or((&self.s3_access_key, &self.s3_secret_key));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.s3_endpoint)
            .region(Region::new("us-east-1"))
            .force_path_style(true)
            .credentials_provider(Credentials::new(access, secret, None, None, "e2e"))
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Runs `psql` and returns the rows, one a line, with fields separated by `|`.
    pub async fn psql(&self, uri: &str, sql: &str) -> Result<String> {
        let output = Command::new("psql").args([uri, "-XAtqc", sql]).env("PGCONNECT_TIMEOUT", "5").output().await?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }
}
