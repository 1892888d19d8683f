//! Manifests that people and scripts apply: they must fit the types that the generated definitions come from.

mod chart;
mod samples;

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use operator_api::{PdsClass, PdsInstance};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The objects of a file with one or more YAML documents. Panics if one has a field that its type does not know.
fn objects(name: &str, text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    for document in &documents {
        let kind = document["kind"].as_str().unwrap_or_default();
        let name = format!("{name}: {kind} {}", document["metadata"]["name"]);
        match kind {
            "ClusterRole" => fits::<ClusterRole>(&name, document),
            "ClusterRoleBinding" => fits::<ClusterRoleBinding>(&name, document),
            "Deployment" => fits::<Deployment>(&name, document),
            "Job" => fits::<Job>(&name, document),
            "Namespace" => fits::<Namespace>(&name, document),
            "NetworkPolicy" => fits::<NetworkPolicy>(&name, document),
            "PdsClass" => fits::<PdsClass>(&name, document),
            "PdsInstance" => fits::<PdsInstance>(&name, document),
            "PersistentVolumeClaim" => fits::<PersistentVolumeClaim>(&name, document),
            "PodDisruptionBudget" => fits::<PodDisruptionBudget>(&name, document),
            "Role" => fits::<Role>(&name, document),
            "RoleBinding" => fits::<RoleBinding>(&name, document),
            "Secret" => fits::<Secret>(&name, document),
            "Service" => fits::<Service>(&name, document),
            "ServiceAccount" => fits::<ServiceAccount>(&name, document),
            _ => panic!("{name}: this test does not know the kind; add it"),
        }
    }
    documents
}

/// Reads the object as its type and writes it again: a field that is lost is one that the type does not know.
fn fits<T: DeserializeOwned + Serialize>(name: &str, document: &Value) {
    let object: T = serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    if let Some(field) = lost("", document, &serde_json::to_value(object).unwrap()) {
        panic!("{name}: unknown or changed field {field}");
    }
}

/// The first field of `written` that `read` does not have with the same value.
fn lost(path: &str, written: &Value, read: &Value) -> Option<String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(key, inner)| {
            let path = format!("{path}.{key}");
            match read.get(key) {
                Some(read) => lost(&path, inner, read),
                None => Some(path),
            }
        }),
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            let pairs = written.iter().zip(read).enumerate();
            pairs.into_iter().find_map(|(index, (written, read))| lost(&format!("{path}[{index}]"), written, read))
        }
        _ => (written != read).then(|| path.to_owned()),
    }
}

#[test]
#[should_panic(expected = "unknown or changed field .spec.allowed.egress")]
fn a_field_that_no_type_knows_is_noticed() {
    let class = "{kind: PdsClass, metadata: {name: a}, apiVersion: auroralocus.dev/v1alpha1, \
                 spec: {images: {pds: a}, plcUrl: http://a, allowed: {egress: []}}}";
    objects("test", class);
}
