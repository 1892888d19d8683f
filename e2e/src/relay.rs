//! The reference relay, in a pod beside an instance. It connects to the instance as to any PDS: by name, over TLS, at a public address.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::{
    Instance,
    wait::{self, LONG},
};

/// The relay connects to public addresses only, so the instance gets one. Only kube-proxy of this cluster knows it; no packet leaves the node.
const PUBLIC: &str = "44.128.0.1";
const PASSWORD: &str = "relay-admin";
const DATABASE: &str = "[ -s /tmp/pg/PG_VERSION ] || initdb -D /tmp/pg -U postgres -A trust --no-sync -E UTF8
exec postgres -D /tmp/pg -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp -c shared_buffers=16MB";

/// A running relay. It follows no host until [`Relay::request_crawl`].
pub struct Relay {
    http: reqwest::Client,
    url: String,
}

impl Relay {
    /// Starts a relay in the namespace of `instance`.
    pub async fn start(instance: &Instance) -> Result<Self> {
        let (cluster, namespace) = (&instance.cluster, &instance.namespace);
        publish(instance).await?;
        let authority: ConfigMap = serde_json::from_value(json!({
            "metadata": {"name": "authority"}, "data": {"ca.crt": std::fs::read_to_string(&cluster.ca_file)?},
        }))?;
        cluster.api::<ConfigMap>(namespace).create(&PostParams::default(), &authority).await?;
        let image = std::env::var("AURORA_E2E_RELAY_IMAGE").context("AURORA_E2E_RELAY_IMAGE is not set")?;
        let postgres = cluster.api::<Pod>(namespace).get(&instance.postgres_pod().await?).await?;
        let postgres = postgres.spec.and_then(|spec| spec.containers.first()?.image.clone()).context("no image")?;
        let confined = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "relay", "labels": {"app": "relay"}},
            "spec": {
                "automountServiceAccountToken": false,
                "hostAliases": [{"ip": PUBLIC, "hostnames": [instance.hostname]}],
                "securityContext": {"runAsNonRoot": true, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "relay", "image": image, "args": ["serve"],
                    "env": [
                        {"name": "DATABASE_URL", "value": "postgres://postgres@127.0.0.1:5432/postgres"},
                        {"name": "RELAY_PERSIST_DIR", "value": "/tmp/persist"},
                        {"name": "RELAY_PLC_HOST", "value": "http://plc.platform.svc:2582"},
                        {"name": "RELAY_ADMIN_PASSWORD", "value": PASSWORD},
                        {"name": "SSL_CERT_FILE", "value": "/authority/ca.crt"},
                    ],
                    "readinessProbe": {"httpGet": {"path": "/xrpc/_health", "port": 2470}, "periodSeconds": 1},
                    "securityContext": confined,
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "authority", "mountPath": "/authority"}],
                }, {
                    "name": "postgres", "image": postgres, "command": ["sh", "-ec", DATABASE], "securityContext": confined,
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }],
                "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "authority", "configMap": {"name": "authority"}}],
            },
        }))?;
        cluster.api::<Pod>(namespace).create(&PostParams::default(), &pod).await?;
        let address = wait::until("the relay serves", LONG, async || {
            let status = cluster.api::<Pod>(namespace).get("relay").await?.status.unwrap_or_default();
            let conditions = status.conditions.iter().flatten();
            let ready = conditions.clone().any(|condition| condition.type_ == "Ready" && condition.status == "True");
            match status.pod_ip {
                Some(address) if ready => Ok(address),
                _ => wait::not_yet(format!("{:?}", status.container_statuses)),
            }
        })
        .await?;
        Ok(Self { http: reqwest::Client::new(), url: format!("http://{address}:2470") })
    }

    /// URL of the relay's event stream.
    pub fn websocket(&self) -> String {
        self.url.replace("http://", "ws://")
    }

    /// Asks the relay to follow `hostname`, as a PDS does when it starts, and waits until the relay is connected.
    pub async fn request_crawl(&self, hostname: &str) -> Result<()> {
        let request = self.http.post(format!("{}/xrpc/com.atproto.sync.requestCrawl", self.url));
        let answer = request.json(&json!({"hostname": hostname})).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("requestCrawl answered {status}: {text}");
        }
        wait::until("the relay is connected", LONG, async || {
            let host = self.query("com.atproto.sync.getHostStatus", &[("hostname", hostname)]).await?;
            if host["status"] == "active" { Ok(()) } else { wait::not_yet(host) }
        })
        .await
    }

    /// The revision of the newest commit of `did`'s repository that the relay has accepted.
    pub async fn latest(&self, did: &str) -> Result<String> {
        let answer = self.query("com.atproto.sync.getLatestCommit", &[("did", did)]).await?;
        Ok(answer["rev"].as_str().context("no rev")?.to_owned())
    }

    async fn query(&self, method: &str, params: &[(&str, &str)]) -> Result<Value> {
        let answer = self.http.get(format!("{}/xrpc/{method}", self.url)).query(params).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{method} answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// Creates a Service that gives the instance's pods the public address, as a load balancer would.
async fn publish(instance: &Instance) -> Result<()> {
    let services = instance.cluster.api::<Service>(&instance.namespace);
    let own = services.get(&instance.name).await?.spec.context("a Service without a spec")?;
    let service: Service = serde_json::from_value(json!({
        "metadata": {"name": "public"},
        "spec": {"type": "LoadBalancer", "selector": own.selector, "ports": own.ports},
    }))?;
    services.create(&PostParams::default(), &service).await?;
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": PUBLIC}]}}});
    services.patch_status("public", &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}
