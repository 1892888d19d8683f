//! The CustomResourceDefinitions: written by `operator crd`, and compared with those in the cluster.
//!
//! A definition that is older than the operator makes the API server drop fields that it does not know. An instance would then get less
//! than its spec says, so nothing is changed until the definitions are those of this version or newer.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, CustomResourceExt, ResourceExt};
use operator_api::{PdsBucketClaim, PdsClass, PdsHostnameClaim, PdsInstance};
use serde_json::Value;

/// The definitions of this version.
#[must_use]
pub fn definitions() -> [CustomResourceDefinition; 4] {
    [PdsInstance::crd(), PdsClass::crd(), PdsHostnameClaim::crd(), PdsBucketClaim::crd()]
}

/// Whether the definitions in the cluster are those of this version.
#[derive(Debug, Default)]
pub struct Definitions(Mutex<Option<String>>);

impl Definitions {
    /// What is wrong with the definitions, in one sentence.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compares the definitions in the cluster with those of this version. Returns true if the result differs from the last one.
    pub async fn look(&self, client: &Client, metrics: &operator_runtime::metrics::Metrics) -> bool {
        let api = Api::<CustomResourceDefinition>::all(client.clone());
        let mut problem = None;
        for wanted in definitions() {
            let name = wanted.name_any();
            let missing = match api.get_opt(&name).await {
                Ok(live) => missing(live.as_ref(), &wanted),
                Err(error) => {
                    tracing::debug!(%error, "CustomResourceDefinition {name} cannot be read");
                    continue;
                }
            };
            metrics.set_outdated(&wanted.spec.names.kind, missing.is_some());
            if let Some(field) = missing {
                let step =
                    "apply the definitions of this version: kubectl apply --server-side --force-conflicts -f crds/";
                let version = env!("CARGO_PKG_VERSION");
                problem = Some(format!(
                    "CustomResourceDefinition {name} is older than the operator ({version}): it lacks {field}; {step}"
                ));
            }
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *known != problem;
        if let Some(problem) = problem.as_ref().filter(|_| is_news) {
            tracing::error!("{problem}");
        }
        *known = problem;
        is_news
    }
}

/// The first field of `wanted` that `live` does not know.
fn missing(live: Option<&CustomResourceDefinition>, wanted: &CustomResourceDefinition) -> Option<String> {
    let Some(live) = live else { return Some("everything: it does not exist".into()) };
    fields(wanted).difference(&fields(live)).next().cloned()
}

fn fields(crd: &CustomResourceDefinition) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for version in &crd.spec.versions {
        let schema = version.schema.as_ref().and_then(|schema| serde_json::to_value(&schema.open_api_v3_schema).ok());
        collect("", &schema.unwrap_or_default(), &mut found);
    }
    found
}

fn collect(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, inner) in properties {
            let path = format!("{path}.{name}");
            collect(&path, inner, found);
            found.insert(path);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(inner) {
            collect(path, inner, found);
        }
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        found.extend(values.iter().filter_map(Value::as_str).map(|value| format!("{path}={value}")));
    }
}

/// Writes the definitions of this version to the cluster. Definitions of a newer version stay as they are.
///
/// # Errors
/// What the API server answers.
pub async fn apply(client: &Client) -> kube::Result<()> {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    for wanted in definitions() {
        let name = wanted.name_any();
        let live = api.get_opt(&name).await?;
        let is_newer = live
            .as_ref()
            .is_some_and(|live| missing(Some(live), &wanted).is_none() && missing(Some(&wanted), live).is_some());
        if is_newer {
            tracing::info!("CustomResourceDefinition {name} is newer than this version and stays");
            continue;
        }
        api.patch(&name, &PatchParams::apply("aurora-locus-crds").force(), &Patch::Apply(&wanted)).await?;
        tracing::info!("CustomResourceDefinition {name} is written");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_that_lacks_a_field_or_a_value_is_older() {
        let wanted = PdsInstance::crd();
        assert_eq!(missing(Some(&wanted), &wanted), None);
        assert!(missing(None, &wanted).is_some());
        let text = serde_json::to_string(&wanted).unwrap();
        let older = serde_json::from_str(&text.replace("\"tls\":", "\"other\":")).unwrap();
        assert_eq!(missing(Some(&older), &wanted).as_deref(), Some(".spec.tls"));
        let older = serde_json::from_str(&text.replace("\"Enforced\",", "")).unwrap();
        assert_eq!(missing(Some(&older), &wanted).as_deref(), Some(".spec.network.policy=Enforced"));
    }
}
