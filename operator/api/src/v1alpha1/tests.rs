use kube::CustomResourceExt;
use serde_json::Value;

use super::{PdsBucketClaim, PdsClass, PdsHostnameClaim, PdsInstance};

/// Every property of the schema, with its path.
fn properties(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    if let Some(map) = schema.get("properties").and_then(Value::as_object) {
        for (name, inner) in map {
            let path = format!("{path}.{name}");
            found.push((path.clone(), inner.clone()));
            properties(&path, inner, found);
        }
    }
    if let Some(items) = schema.get("items") {
        properties(&format!("{path}[]"), items, found);
    }
}

fn all() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for crd in [PdsInstance::crd(), PdsClass::crd(), PdsHostnameClaim::crd(), PdsBucketClaim::crd()] {
        let crd = serde_json::to_value(crd).unwrap();
        properties("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
    }
    found
}

#[test]
fn every_field_has_a_description_and_no_default() {
    for (path, schema) in all() {
        assert!(schema.get("description").is_some(), "{path} has no description");
        assert!(schema.get("default").is_none() || path.starts_with(".status"), "{path} has a default");
    }
}

#[test]
fn conditions_merge_by_type() {
    let (_, schema) = all().into_iter().find(|(path, _)| path == ".status.conditions").unwrap();
    assert_eq!(schema["x-kubernetes-list-type"], "map");
}
