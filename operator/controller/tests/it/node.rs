//! What a node would say about pods: there is none.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::harness::{World, eventually};

/// The version of PostgreSQL that migrations report.
pub(crate) const POSTGRES_VERSION: i32 = 170_002;

/// The part of an instance that a pod belongs to.
pub(crate) fn component(pod: &Pod) -> &str {
    pod.labels().get("auroralocus.dev/component").map(String::as_str).unwrap_or_default()
}

/// Brings pods up as long as it lives.
pub(crate) struct Node(tokio::task::JoinHandle<()>);

impl Drop for Node {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// Migrations succeed, servers and databases become ready. Other pods wait.
    pub(crate) fn run_pods(&self) -> Node {
        self.run_pods_of(&["pds", "postgres", "migrate"])
    }

    /// The same for the pods of some components.
    pub(crate) fn run_pods_of(&self, components: &'static [&'static str]) -> Node {
        let pods = self.api::<Pod>();
        Node(tokio::spawn(async move {
            // Looked at anew now and then, so that an answer that was lost is given again.
            let parameters = WatchParams::default().timeout(10);
            loop {
                if let Ok(events) = pods.watch(&parameters, "").await {
                    let mut events = std::pin::pin!(events);
                    while let Some(Ok(event)) = events.next().await {
                        let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = event else { continue };
                        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
                        let waits = phase == Some("Pending") && pod.metadata.deletion_timestamp.is_none();
                        if waits && components.contains(&component(&pod)) {
                            say(&pods, &pod.name_any(), outcome(&pod)).await;
                        }
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }))
    }

    /// Waits for a pod of a component.
    pub(crate) async fn pod(&self, wanted: &str) -> Pod {
        eventually(&format!("a pod of {wanted}"), async || {
            let all = self.api::<Pod>().list(&ListParams::default()).await.ok()?;
            all.into_iter().find(|pod| component(pod) == wanted && pod.metadata.deletion_timestamp.is_none())
        })
        .await
    }

    /// Sets the status of a pod.
    pub(crate) async fn pod_says(&self, name: &str, status: Value) {
        say(&self.api(), name, status).await;
    }
}

async fn say(pods: &Api<Pod>, name: &str, status: Value) {
    let patch = Patch::Merge(json!({"status": status}));
    pods.patch_status(name, &PatchParams::default(), &patch).await.ok();
}

fn outcome(pod: &Pod) -> Value {
    if component(pod) == "migrate" {
        return ended(pod, 0, &json!({"postgresVersion": POSTGRES_VERSION}).to_string());
    }
    let now = jiff::Timestamp::now().to_string();
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": now});
    json!({"phase": "Running", "conditions": [ready]})
}

/// Every container of a pod ended so, with these last words.
pub(crate) fn ended(pod: &Pod, code: i32, words: &str) -> Value {
    let now = jiff::Timestamp::now().to_string();
    let reason = if code == 0 { "Completed" } else { "Error" };
    let terminated = json!({"exitCode": code, "reason": reason, "message": words, "startedAt": now, "finishedAt": now});
    let containers = containers(pod, &json!({"terminated": terminated}));
    json!({"phase": if code == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": containers})
}

/// Every container of a pod is in this state.
pub(crate) fn containers(pod: &Pod, state: &Value) -> Vec<Value> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let status = |name: &str, image: Option<&str>| {
        json!({
            "name": name, "image": image.unwrap_or_default(), "imageID": "", "ready": false, "restartCount": 0,
            "state": state,
        })
    };
    containers.map(|container| status(&container.name, container.image.as_deref())).collect()
}
