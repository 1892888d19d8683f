//! A `PdsInstance` under test: applies it, waits for it, reads its state.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::{
    Cluster, Pds,
    wait::{self, LONG},
};

/// An instance in a namespace of its own. Clients reach it at `https://<hostname>` through its Service.
pub struct Instance {
    pub cluster: Cluster,
    pub namespace: String,
    pub name: String,
    pub hostname: String,
}

impl Instance {
    /// Applies the smallest useful manifest (Postgres, S3, two replicas, own TLS) and waits for `Ready`.
    pub async fn ready(name: &str) -> Result<Self> {
        let instance = Self::prepare(name).await?;
        instance.apply(json!({})).await?;
        instance.wait_ready().await?;
        Ok(instance)
    }

    /// Creates the namespace and the TLS Secret, but not the instance.
    pub async fn prepare(name: &str) -> Result<Self> {
        let cluster = Cluster::connect().await?;
        let namespace = cluster.namespace(name).await?;
        let hostname = format!("{namespace}.pds.test");
        let wildcard = format!("*.{hostname}");
        cluster.tls_secret(&namespace, "tls", &[&hostname, &wildcard]).await?;
        Ok(Self { cluster, namespace, name: name.to_owned(), hostname })
    }

    /// The spec that [`Self::apply`] sends. Top-level fields of `extra` replace those of the default.
    pub fn spec(&self, extra: Value) -> Value {
        let mut spec = json!({
            "hostname": self.hostname,
            "handleDomains": [{"domain": self.hostname}],
            "tls": {"secretName": "tls"},
            // A few test accounts send the requests of many users, which is more than the rate limits allow.
            "limits": {"rateLimits": {"enabled": false}},
        });
        if let (Some(spec), Value::Object(extra)) = (spec.as_object_mut(), extra) {
            spec.extend(extra);
        }
        spec
    }

    pub async fn apply(&self, extra: Value) -> Result<(), kube::Error> {
        self.cluster.apply(&self.namespace, &self.name, self.spec(extra)).await.map(drop)
    }

    /// The instance's status as JSON; an empty object before the first reconcile.
    pub async fn status(&self) -> Result<Value> {
        let object = self.cluster.instances(&self.namespace).get(&self.name).await?;
        Ok(object.data.get("status").cloned().unwrap_or_else(|| json!({})))
    }

    /// Status, reason and message of a condition. An error if the condition does not exist.
    pub async fn condition(&self, kind: &str) -> Result<(String, String, String)> {
        let status = self.status().await?;
        let condition = status["conditions"]
            .as_array()
            .and_then(|all| all.iter().find(|condition| condition["type"] == kind))
            .with_context(|| format!("no condition {kind} in {status}"))?;
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        Ok((text("status"), text("reason"), text("message")))
    }

    /// Waits until the condition `kind` has `status`, and returns its reason and message.
    pub async fn wait_condition(&self, kind: &str, status: &str) -> Result<(String, String)> {
        wait::until(&format!("{}: {kind}={status}", self.name), LONG, async || {
            let (found, reason, message) = self.condition(kind).await?;
            if found == status {
                Ok((reason, message))
            } else {
                wait::not_yet(format!("{kind}={found} {reason}: {message}"))
            }
        })
        .await
    }

    /// Waits until `Ready` is `True` and the operator has seen the newest generation.
    pub async fn wait_ready(&self) -> Result<()> {
        wait::until(&format!("{} ready", self.name), LONG, async || {
            let object = self.cluster.instances(&self.namespace).get(&self.name).await?;
            let status = object.data.get("status").cloned().unwrap_or_default();
            if status["observedGeneration"].as_i64() != object.metadata.generation {
                return wait::not_yet(format!(
                    "observedGeneration {} of {:?}",
                    status["observedGeneration"], object.metadata.generation
                ));
            }
            match self.condition("Ready").await? {
                (found, _, _) if found == "True" => Ok(()),
                (found, reason, message) => wait::not_yet(format!("Ready={found} {reason}: {message}; {status}")),
            }
        })
        .await
    }

    /// The ClusterIP of the instance's Service. The test program can reach it.
    pub async fn service_address(&self) -> Result<String> {
        let service = self.cluster.api::<Service>(&self.namespace).get(&self.name).await?;
        service.spec.and_then(|spec| spec.cluster_ip).context("the Service has no clusterIP")
    }

    /// A client of the instance through its Service.
    pub async fn pds(&self) -> Result<Pds> {
        Pds::new(&self.cluster, &self.hostname, 443, &self.service_address().await?)
    }

    /// One client per replica, each connected to the address of a pod.
    pub async fn replicas(&self) -> Result<Vec<Pds>> {
        self.pds_pods()
            .await?
            .iter()
            .filter_map(|pod| pod.status.as_ref()?.pod_ip.clone())
            .map(|address| Pds::new(&self.cluster, &self.hostname, 2583, &address))
            .collect()
    }

    pub async fn pds_pods(&self) -> Result<Vec<Pod>> {
        let selector = format!("auroralocus.dev/instance={},auroralocus.dev/component=pds", self.name);
        self.cluster.pods(&self.namespace, &selector).await
    }

    pub async fn postgres_pod(&self) -> Result<String> {
        let selector = format!("auroralocus.dev/instance={},auroralocus.dev/component=postgres", self.name);
        let pods = self.cluster.pods(&self.namespace, &selector).await?;
        Ok(pods.first().context("no Postgres pod")?.name_any())
    }

    /// The connection URI of the instance's database. The host is replaced by the Service's address, because the test program cannot use the
    /// cluster's DNS.
    pub async fn database_uri(&self) -> Result<String> {
        let uri = self.cluster.secret(&self.namespace, &format!("{}-pg", self.name), "uri").await?;
        let service = self.cluster.api::<Service>(&self.namespace).get(&format!("{}-pg", self.name)).await?;
        let address = service.spec.and_then(|spec| spec.cluster_ip).context("the database Service has no clusterIP")?;
        let (before, after) = uri.split_once('@').context("the URI names no host")?;
        let rest = after.find([':', '/']).map_or("", |at| &after[at..]);
        Ok(format!("{before}@{address}{rest}"))
    }

    pub async fn sql(&self, sql: &str) -> Result<String> {
        self.cluster.psql(&self.database_uri().await?, sql).await
    }

    pub async fn admin_password(&self) -> Result<String> {
        self.cluster.secret(&self.namespace, &format!("{}-keys", self.name), "adminPassword").await
    }

    /// Deletes the instance and waits until the object is gone.
    pub async fn delete(&self) -> Result<()> {
        self.cluster.instances(&self.namespace).delete(&self.name, &DeleteParams::default()).await?;
        wait::until(&format!("{} gone", self.name), LONG, async || {
            match self.cluster.instances(&self.namespace).get_opt(&self.name).await? {
                None => Ok(()),
                Some(object) => wait::not_yet(format!("finalizers {:?}", object.finalizers())),
            }
        })
        .await
    }

    /// Deletes the namespace. Called at the end of a test; the namespace of a failed test stays for analysis.
    pub async fn clean_up(self) -> Result<()> {
        self.cluster.delete_namespace(&self.namespace).await
    }
}
