//! What anybody may write into the metadata of objects, and how lists of objects are read.

use std::time::Duration;

use kube::api::Api;
use operator_api::PdsClass;
use operator_runtime::cache::can_stream;
use serde_json::{Value, json};

use super::harness::World;
use super::home::Home;
use super::program::Program;

/// Small pages would make the start slow where there are many objects.
#[tokio::test]
async fn the_api_server_sends_lists_object_by_object() {
    let world = World::new("stream").await;
    assert!(can_stream(&Api::<PdsClass>::all(world.client.clone())).await);
}

/// Creates an object with an entry of managed fields. As text: a tree of any depth cannot be written as a value.
async fn post(world: &World, object: Value, entry: &str, fields: &str) {
    let managed = format!(
        r#""managedFields":[{{{entry},"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{{"f:metadata":{fields}}}}}],"name""#
    );
    let body = object.to_string().replacen(r#""name""#, &managed, 1);
    let (path, plural) = match object["kind"].as_str().unwrap() {
        "Secret" => ("/api/v1", "secrets"),
        "ServiceAccount" => ("/api/v1", "serviceaccounts"),
        _ => ("/apis/auroralocus.dev/v1alpha1", "pdsinstances"),
    };
    let path = format!("{path}/namespaces/{}/{plural}", world.namespace);
    let request = http::Request::post(path).header("content-type", "application/json").body(body.into_bytes());
    world.client.request_text(request.unwrap()).await.unwrap();
}

/// Objects that are read by themselves, with managed fields as deep as parsers go and as wide as the API server takes: 1.3 MB, and forty times that as a tree.
#[tokio::test]
async fn managed_fields_of_single_objects_cost_no_memory() {
    let world = World::alone("flood-m").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    let chain = format!("{}{{}}{}", r#"{"f:a":"#.repeat(100), "}".repeat(100));
    let chains: Vec<_> = (0..1_600).map(|number| format!(r#""f:k{number}":{chain}"#)).collect();
    let (wide, entry) =
        (format!("{{{}}}", chains.join(",")), r#""manager":"aurora-locus-operator","operation":"Update""#);
    let program = Program::start(&home, &world);
    for number in 0..4 {
        let name = format!("taken-{number}");
        // A stranger's object under a name that the instance needs.
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": format!("{name}-pds")}});
        post(&world, account, entry, &wide).await;
        let spec = json!({
            "hostname": format!("{name}.{}.test", world.namespace), "className": home.class, "database": {"sqlite": {}},
        });
        world.create_exactly(&name, spec).await.unwrap();
        // An instance that cannot be read: it has too many owners.
        let owner =
            |uid: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": uid.to_string()});
        let owners: Vec<_> = (0..600).map(owner).collect();
        let spec = json!({"hostname": format!("u{number}.test"), "className": home.class});
        let metadata = json!({"name": format!("u{number}"), "ownerReferences": owners});
        let instance = json!({
            "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "metadata": metadata, "spec": spec,
        });
        post(&world, instance, entry, &wide).await;
    }
    for number in 0..4 {
        world.condition(&format!("taken-{number}"), "Ready", "False", "ObjectNotOwned").await;
    }
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    program.took_little_memory();
}

/// `metadata.managedFields` is whatever the writer of an object says it is: deeper than parsers go, or of a year that only the API server knows.
#[tokio::test]
async fn metadata_that_no_parser_takes_delays_nobody_and_no_secret_is_logged() {
    let world = World::alone("metadata").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    let deep = format!("{}{{}}{}", r#"{"f:a":"#.repeat(300), "}".repeat(300));
    let post = async |object: Value, time: &str, fields: &str| {
        post(&world, object, &format!(r#""manager":"x","operation":"Apply","time":"{time}""#), fields).await;
    };
    let labels = json!({
        "app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": "lite",
        "auroralocus.dev/component": "keys",
    });
    let (usual, far) = ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00");
    for (name, time, fields) in [("deep", usual, deep.as_str()), ("year", far, "{}")] {
        let metadata = json!({"name": name, "labels": labels});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": "not to be logged"},
        });
        post(secret, time, fields).await;
    }
    let spec = json!({"hostname": "deep.test", "className": "nosuch"});
    let instance = json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "metadata": {"name": "deep"}, "spec": spec,
    });
    post(instance, usual, &deep).await;

    // Once as a list, once as changes.
    let program = Program::start(&home, &world);
    let spec = json!({"hostname": "lite.test", "className": home.class, "database": {"sqlite": {}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    for number in 0..8 {
        let patch = json!({"metadata": {"labels": {"touched": number.to_string()}}}).to_string();
        let touch = async |path: &str| {
            let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
            world.client.request_text(request.body(patch.clone().into_bytes()).unwrap()).await.unwrap();
        };
        let namespace = &world.namespace;
        touch(&format!("/api/v1/namespaces/{namespace}/secrets/deep")).await;
        touch(&format!("/apis/auroralocus.dev/v1alpha1/namespaces/{namespace}/pdsinstances/deep")).await;
    }
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    let began = std::time::Instant::now();
    world.ready("lite").await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let words = program.end();
    assert!(!words.contains("watch stream failed") && !words.contains("bm90IHRvIGJlIGxvZ2dlZA"), "{words}");
}
