//! Every field of the kinds does something.

use kube::CustomResourceExt;
use operator_api::{PdsClass, PdsInstance};
use serde_json::{Value, json};

use super::super::super::observe::ClassFound;
use super::{Observed, build, class, instance, validate};

/// Those that show in something other than the built objects. Tests against an API server look at them.
const ELSEWHERE: [&str; 6] =
    ["className", "paused", "deletionPolicy.database", "deletionPolicy.blobs", "deletionPolicy.keys", "default"];

/// A spec, the spec that it is compared with, and the field in which they differ.
fn instances() -> Vec<(&'static str, Value, Value)> {
    let sqlite = json!({"database": {"sqlite": {}}});
    let external = |name: &str, key: &str| json!({"database": {"external": {"uriSecret": {"name": name, "key": key}}}});
    vec![
        ("hostname", json!({"hostname": "b.test"}), json!({})),
        ("handleDomains[].domain", json!({"handleDomains": [{"domain": "b.test"}]}), json!({})),
        ("image", json!({"image": "pds:2"}), json!({})),
        ("replicas", json!({"replicas": 3}), json!({})),
        ("database.postgres.size", json!({"database": {"postgres": {"size": "1Gi"}}}), json!({})),
        ("database.postgres.storageClassName", json!({"database": {"postgres": {"storageClassName": "a"}}}), json!({})),
        ("database.external.uriSecret.name", external("a", "k"), external("b", "k")),
        ("database.external.uriSecret.key", external("a", "k"), external("a", "l")),
        ("database.sqlite.size", json!({"database": {"sqlite": {"size": "1Gi"}}}), sqlite.clone()),
        (
            "database.sqlite.storageClassName",
            json!({"database": {"sqlite": {"storageClassName": "a"}}}),
            sqlite.clone(),
        ),
        (
            "blobStore.disk",
            json!({"database": {"sqlite": {}}, "blobStore": {"disk": {}}}),
            json!({"database": {"sqlite": {}}, "blobStore": {"s3": {}}}),
        ),
        ("blobStore.s3.bucket", json!({"blobStore": {"s3": {"bucket": "abc"}}}), json!({})),
        ("identity.invites", json!({"identity": {"invites": "Open"}}), json!({})),
        ("identity.contactEmail", json!({"identity": {"contactEmail": "a@b.test"}}), json!({})),
        ("limits.blobMaxBytes", json!({"limits": {"blobMaxBytes": 7}}), json!({})),
        ("limits.rateLimits.enabled", json!({"limits": {"rateLimits": {"enabled": false}}}), json!({})),
        ("tls.secretName", json!({"tls": {"secretName": "a"}}), json!({"tls": {"secretName": "b"}})),
        ("network.policy", json!({"network": {"policy": "Off"}}), json!({})),
        ("pod.resources", json!({"pod": {"resources": {"limits": {"memory": "1Gi"}}}}), json!({})),
        ("pod.nodeSelector", json!({"pod": {"nodeSelector": {"a": "b"}}}), json!({})),
        ("pod.tolerations", json!({"pod": {"tolerations": [{"key": "a"}]}}), json!({})),
    ]
}

fn classes() -> Vec<(&'static str, Value)> {
    vec![
        ("images.pds", json!({"images": {"pds": "pds:2"}})),
        ("images.postgres", json!({"images": {"postgres": "postgres:18"}})),
        ("plcUrl", json!({"plcUrl": "http://other.test"})),
        ("s3.endpoint", json!({"s3": {"endpoint": "http://other.test"}})),
        ("s3.region", json!({"s3": {"region": "here"}})),
        ("s3.pathStyle", json!({"s3": {"pathStyle": false}})),
        ("s3.adminSecretName", json!({"s3": {"adminSecretName": "other"}})),
        ("s3.provisioner", json!({"s3": {"provisioner": "Static"}})),
        ("limits.maxReplicas", json!({"limits": {"maxReplicas": 1}})),
        ("outboundAllow", json!({"outboundAllow": [".a.test"]})),
    ]
}

fn merge(base: &mut Value, change: &Value) {
    match change {
        Value::Object(fields) if fields.is_empty() && base.is_object() => {}
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| merge(&mut base[name], value))
        }
        other => *base = other.clone(),
    }
}

/// What an instance of a class comes to: what is validated, and what is built from it.
fn outcome(class_change: &Value, spec: &Value) -> String {
    let mut of_class = class();
    merge(&mut of_class, &json!({"spec": class_change}));
    let of_class: PdsClass = serde_json::from_value(of_class).unwrap();
    let observed =
        Observed { class: ClassFound::Found(of_class.into()), namespace_uid: "n".into(), ..Default::default() };
    let mut full = json!({"hostname": "demo.test"});
    merge(&mut full, spec);
    let wanted = validate(&instance("demo", full), &observed).unwrap();
    format!("{wanted:?} {:?}", build(&wanted, &observed))
}

#[test]
fn every_field_changes_something() {
    for (field, spec, other) in instances() {
        assert!(outcome(&json!({}), &spec) != outcome(&json!({}), &other), "{field} does nothing");
    }
    for (field, change) in classes() {
        assert!(outcome(&change, &json!({})) != outcome(&json!({}), &json!({})), "{field} does nothing");
    }
}

#[test]
fn no_field_is_left_out_here() {
    let crds = [serde_json::to_value(PdsInstance::crd()).unwrap(), serde_json::to_value(PdsClass::crd()).unwrap()];
    let mut known: Vec<_> = instances().into_iter().map(|(field, ..)| field.to_owned()).collect();
    known.extend(classes().into_iter().map(|(field, _)| field.to_owned()));
    known.extend(ELSEWHERE.map(str::to_owned));
    let mut fields = Vec::new();
    for crd in &crds {
        leaves("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], &known, &mut fields);
    }
    fields.retain(|field| !known.contains(field));
    assert!(fields.is_empty(), "{fields:?}");
}

/// The paths of the fields without fields of their own, or that are known as a whole.
fn leaves(path: &str, schema: &Value, known: &[String], found: &mut Vec<String>) {
    let fields = schema["properties"].as_object();
    match fields.filter(|fields| !fields.is_empty() && !known.contains(&path.to_owned())) {
        Some(fields) => {
            for (name, inner) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, inner, known, found);
            }
        }
        None if schema["items"]["properties"].is_object() && !known.contains(&path.to_owned()) => {
            leaves(&format!("{path}[]"), &schema["items"], known, found);
        }
        None => found.push(path.to_owned()),
    }
}
