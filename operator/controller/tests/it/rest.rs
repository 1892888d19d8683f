//! An instance at rest costs the API server nothing, whatever it is made of.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch};
use serde_json::{Value, json};

use super::harness::{World, eventually, message, write_secret};
use super::home::Home;

async fn certificate(world: &World, name: &str) -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(vec![world.hostname("full")]).unwrap();
    let values = (pair.cert.pem(), pair.signing_key.serialize_pem());
    write_secret(&world.api(), name, &[("tls.crt", &values.0), ("tls.key", &values.1)]).await;
    values
}

/// Everything that refers to Secrets: a database that exists, a certificate, a bucket, pull secrets.
#[tokio::test]
async fn an_instance_with_secrets_of_others_asks_for_nothing() {
    let world = World::new("rest").await;
    let home = Home::new(&world, json!({})).await;
    let process = home.start(None).await;
    let _node = world.run_pods();
    write_secret(&world.api(), "db", &[("url", "postgres://a@one/pds")]).await;
    certificate(&world, "cert").await;
    let spec = json!({
        "hostname": "full.test", "className": home.class, "tls": {"secretName": "cert"},
        "database": {"external": {"uriSecret": {"name": "db", "key": "url"}}},
        "pod": {"imagePullSecrets": ["pull"]},
    });
    world.create("full", spec).await.unwrap();
    world.ready("full").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process.gate.traffic("").len();
    // Secrets that nobody refers to, and ConfigMaps of others.
    for number in 0..3 {
        write_secret(&world.api(), &format!("other-{number}"), &[("a", "b")]).await;
        world.make::<ConfigMap>(json!({"metadata": {"name": format!("other-{number}")}})).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(process.gate.traffic("").split_off(before), Vec::<String>::new());
    // A Secret that changes without another value: it is read, and nothing is written.
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    world.api::<Secret>().patch("db", &Default::default(), &label).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let path = format!("GET /api/v1/namespaces/{}/secrets/db", world.namespace);
    assert_eq!(process.gate.traffic("").split_off(before), [path]);
}

/// The value of a gauge of the only instance, at most a second old.
async fn gauge(url: &str, name: &str) -> Option<i64> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = http.get(url).send().await.ok()?.text().await.ok()?;
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// F63.
#[tokio::test]
async fn a_certificate_that_does_not_fit_its_key_is_told_and_pods_go_on() {
    let world = World::new("cert").await;
    let mut home = Home::new(&world, json!({})).await;
    let metrics = home.listen();
    let _process = home.start(None).await;
    let _node = world.run_pods();
    let (first, _) = certificate(&world, "cert").await;
    let spec = json!({"hostname": "full.test", "className": home.class, "tls": {"secretName": "cert"}});
    world.create("full", spec).await.unwrap();
    let pds = world.ready("full").await;
    let until = message(&pds, "CertificateReady");
    let until: jiff::Timestamp = until.strip_prefix("Secret cert, valid until ").unwrap().parse().unwrap();
    let expiry = async || gauge(&metrics, "aurora_operator_certificate_expiry").await;
    let ready = async || gauge(&metrics, "aurora_operator_instance_ready").await;
    eventually("the end of the certificate is a metric", async || (expiry().await? == until.as_second()).then_some(()))
        .await;
    assert_eq!(ready().await, Some(1));
    let before = world.api::<Deployment>().get("full").await.unwrap();
    let (_, key) = certificate(&world, "other").await;
    write_secret(&world.api(), "cert", &[("tls.crt", &first), ("tls.key", &key)]).await;
    let pds = world.condition("full", "CertificateReady", "False", "CertificateInvalid").await;
    let why = "spec.tls.secretName: Secret cert holds a certificate and a key that do not match; pods keep the certificate \
               that they have";
    assert_eq!(message(&pds, "CertificateReady"), why);
    world.event("CertificateInvalid", why).await;
    eventually("the metric says so", async || (ready().await? == 0).then_some(())).await;
    assert_eq!(expiry().await, Some(until.as_second()), "of the certificate that the pods keep");
    let after = world.api::<Deployment>().get("full").await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);
    // A renewed certificate needs no restart either: pods read the file again.
    certificate(&world, "cert").await;
    world.ready("full").await;
    let after = world.api::<Deployment>().get("full").await.unwrap();
    assert_eq!(before.metadata.generation, after.metadata.generation);
}

#[tokio::test]
async fn placement_is_that_of_every_pod() {
    let world = World::new("placement").await;
    let _node = world.run_pods();
    let allowed = json!({"placement": {"tolerations": ["team"], "priorityClassNames": ["system-cluster-critical"]}});
    let class = world.class(json!({"allowed": allowed})).await;
    let pod = json!({
        "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "team", "operator": "Exists"}],
        "imagePullSecrets": ["pull"], "priorityClassName": "system-cluster-critical",
    });
    world.create("full", json!({"hostname": "full.test", "className": class, "pod": pod})).await.unwrap();
    world.ready("full").await;
    world.class(json!({"allowed": allowed, "images": {"postgres": "registry.test/postgres:stable"}})).await;
    world.pod("postgres-version").await;
    let mut templates: Vec<(String, PodTemplateSpec)> = Vec::new();
    let all = ListParams::default();
    for live in world.api::<Deployment>().list(&all).await.unwrap() {
        templates.push((live.name_any(), live.spec.unwrap().template));
    }
    for live in world.api::<StatefulSet>().list(&all).await.unwrap() {
        templates.push((live.name_any(), live.spec.unwrap().template));
    }
    for live in world.api::<Job>().list(&all).await.unwrap() {
        templates.push((live.name_any(), live.spec.unwrap().template));
    }
    assert_eq!(templates.len(), 4, "server, database, migration, version");
    for (name, template) in templates {
        let found = serde_json::to_value(template.spec.unwrap()).unwrap();
        assert_eq!(found["nodeSelector"], json!({"disk": "fast"}), "{name}");
        assert_eq!(found["tolerations"], json!([{"key": "team", "operator": "Exists"}]), "{name}");
        assert_eq!(found["imagePullSecrets"], json!([{"name": "pull"}]), "{name}");
        assert_eq!(found["priorityClassName"], "system-cluster-critical", "{name}");
        assert_eq!(found["serviceAccountName"], "full-pds", "{name}");
        assert_eq!(found["automountServiceAccountToken"], false, "{name}");
        assert_eq!(found["securityContext"]["runAsNonRoot"], true, "{name}");
        for container in found["containers"].as_array().unwrap() {
            assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{name}");
        }
    }
}

/// Pods of the `restricted` Pod Security profile are admitted where it is enforced.
#[tokio::test]
async fn every_pod_is_admitted_where_pod_security_is_restricted() {
    let world = World::new("restricted").await;
    let _node = world.run_pods();
    let enforce = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(world.client.clone());
    namespaces.patch(&world.namespace, &Default::default(), &Patch::Merge(enforce)).await.unwrap();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
}

fn data(key: &str, value: &str) -> Patch<Value> {
    Patch::Merge(json!({"stringData": {key: value}}))
}

/// F60.
#[tokio::test]
async fn two_of_the_keys_can_be_changed_and_two_cannot() {
    let world = World::new("rotate").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    let secrets = world.api::<Secret>();
    let jobs = async || world.api::<Job>().list(&ListParams::default()).await.unwrap().items.len();
    let first = jobs().await;
    for key in ["adminPassword", "jwtSecret"] {
        let before = super::secrets::version(&world).await.unwrap();
        let keys = secrets.patch("full-keys", &Default::default(), &data(key, &"ab".repeat(32))).await.unwrap();
        super::secrets::changed(&world, &before).await;
        world.ready("full").await;
        assert_eq!(secrets.get("full-keys").await.unwrap().data, keys.data);
        assert_eq!(jobs().await, first, "no migration");
    }
    let saved = secrets.get("full-keys").await.unwrap().data.unwrap();
    let before = super::secrets::version(&world).await;
    secrets.patch("full-keys", &Default::default(), &data("plcRotationKey", &"ab".repeat(32))).await.unwrap();
    let pds = world.condition("full", "KeysReady", "False", "KeysMismatch").await;
    let fingerprint = pds.status.clone().unwrap().keys.unwrap().fingerprint.unwrap();
    assert!(message(&pds, "KeysReady").contains(&fingerprint));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(super::secrets::version(&world).await, before, "pods are untouched");
    // Restored, all is as before.
    let restored = Patch::Merge(json!({"data": {"plcRotationKey": saved["plcRotationKey"]}}));
    secrets.patch("full-keys", &Default::default(), &restored).await.unwrap();
    world.ready("full").await;
    assert_eq!(super::secrets::version(&world).await, before);
}
