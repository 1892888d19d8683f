//! A class with workload identity: pods reach their bucket with a role of their service account, and there are no keys.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::ResourceExt;
use kube::api::Api;
use serde_json::json;

use super::harness::{World, eventually, variable, write_secret};
use super::home::Home;

const ROLE: &str = "eks.amazonaws.com/role-arn";

#[tokio::test]
async fn an_instance_with_a_role_has_no_keys_and_keeps_the_role_over_a_restart_of_the_operator() {
    let world = World::new("role").await;
    let _node = world.run_pods();
    let endpoint = variable("AURORA_TEST_MOTO_ENDPOINT");
    let identity =
        json!({"oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.test", "issuer": "oidc.test"});
    let store = json!({
        "provisioner": "Aws", "endpoint": endpoint, "adminSecretName": "moto",
        "aws": {"iamEndpoint": endpoint, "workloadIdentity": identity},
    });
    let home = Home::new(&world, json!({"objectStore": store})).await;
    let (id, key) = (variable("AURORA_TEST_MOTO_ACCESS_KEY"), variable("AURORA_TEST_MOTO_SECRET_KEY"));
    let secrets = Api::<Secret>::namespaced(world.client.clone(), &home.namespace);
    write_secret(&secrets, "moto", &[("accessKeyId", &id), ("secretAccessKey", &key)]).await;
    let process = home.start(None).await;
    world.create("full", json!({"hostname": "full.test", "className": home.class})).await.unwrap();
    world.ready("full").await;
    let account = async || world.api::<ServiceAccount>().get("full-pds").await.unwrap();
    let before = account().await;
    let role = before.annotations().get(ROLE).cloned().unwrap();
    assert!(role.starts_with("arn:aws:iam::123456789012:role/"), "{role}");
    assert!(world.api::<Secret>().get_opt("full-s3").await.unwrap().is_none());
    let live = world.api::<Deployment>().get("full").await.unwrap();
    let env = live.spec.unwrap().template.spec.unwrap().containers.remove(0).env.unwrap();
    let is_key = |name: &str| name.contains("ACCESS_KEY");
    assert!(env.iter().all(|env| !is_key(&env.name)), "{env:?}");

    drop(process);
    let process = home.start(None).await;
    let path = format!("/namespaces/{}/secrets/full-keys", world.namespace);
    eventually("the instance is looked at", async || process.gate.traffic(&path).first().map(drop)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(account().await.resource_version(), before.resource_version());
    world.ready("full").await;
}
