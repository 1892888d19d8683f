//! A PLC rotation key in AWS KMS: no key of it in the cluster, and its name guarded like a key.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{EnvVar, Secret, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use operator_api::PdsInstance;
use serde_json::{Value, json};

use super::harness::{World, message};

const ROLE: &str = "arn:aws:iam::123456789012:role/pds";

fn spec(class: &str) -> Value {
    json!({
        "hostname": "full.test", "className": class,
        "keys": {"kms": {"keyId": "alias/pds", "region": "eu-west-1", "endpoint": "https://kms.test", "roleArn": ROLE}},
    })
}

async fn environment(world: &World) -> Vec<EnvVar> {
    let live = world.api::<Deployment>().get("full").await.unwrap();
    live.spec.unwrap().template.spec.unwrap().containers.remove(0).env.unwrap()
}

#[tokio::test]
async fn a_rotation_key_in_kms_is_named_by_the_secret_and_never_made() {
    let world = World::new("kms").await;
    let _node = world.run_pods();
    let class = world.class(json!({"allowed": {"kms": true}})).await;
    world.create("full", spec(&class)).await.unwrap();
    world.ready("full").await;
    let secret = world.api::<Secret>().get("full-keys").await.unwrap();
    let data = secret.data.clone().unwrap();
    let keys: Vec<_> = data.keys().map(String::as_str).collect();
    assert_eq!(keys, ["adminPassword", "jwtSecret", "keyEncryptionKey", "plcRotationKmsKeyId"]);
    assert_eq!(data["plcRotationKmsKeyId"].0, b"alias/pds");

    let environment = environment(&world).await;
    let find = |name: &str| environment.iter().find(|found| found.name == name);
    assert!(find("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX").is_none());
    let reference =
        find("PDS_PLC_ROTATION_KEY_KMS_KEY_ID").unwrap().value_from.clone().unwrap().secret_key_ref.unwrap();
    assert_eq!((reference.name.as_str(), reference.key.as_str()), ("full-keys", "plcRotationKmsKeyId"));
    assert_eq!(find("AWS_REGION").unwrap().value.as_deref(), Some("eu-west-1"));
    assert_eq!(find("AWS_ENDPOINT_URL_KMS").unwrap().value.as_deref(), Some("https://kms.test"));
    let account = world.api::<ServiceAccount>().get("full-pds").await.unwrap();
    assert_eq!(account.annotations()["eks.amazonaws.com/role-arn"], ROLE);

    // Another name in the Secret is another key.
    let other = json!({"stringData": {"plcRotationKmsKeyId": "alias/other"}});
    let secrets = world.api::<Secret>();
    secrets.patch("full-keys", &PatchParams::default(), &Patch::Merge(other)).await.unwrap();
    let pds = world.condition("full", "KeysReady", "False", "KeysMismatch").await;
    let told = message(&pds, "KeysReady");
    assert!(told.contains("\"alias/other\" in AWS KMS; spec.keys.kms says \"alias/pds\" in AWS KMS"), "{told}");
    world.condition("full", "Stalled", "True", "KeysMismatch").await;
    let back = json!({"stringData": {"plcRotationKmsKeyId": "alias/pds"}});
    secrets.patch("full-keys", &PatchParams::default(), &Patch::Merge(back)).await.unwrap();
    let pds: PdsInstance = world.ready("full").await;
    assert!(pds.status.unwrap().keys.unwrap().fingerprint.is_some());
}

/// The identities of the accounts that an earlier instance of the name left behind name the key that its Secret holds.
#[tokio::test]
async fn a_key_in_the_secret_is_not_replaced_by_one_in_kms() {
    let world = World::new("kms-later").await;
    let _node = world.run_pods();
    let class = world.class(json!({"allowed": {"kms": true}})).await;
    world.create("full", json!({"hostname": "full.test", "className": class})).await.unwrap();
    world.ready("full").await;
    world.delete("full").await;
    world.create("full", spec(&class)).await.unwrap();
    let pds = world.condition("full", "KeysReady", "False", "KeysMismatch").await;
    let told = message(&pds, "KeysReady");
    assert!(told.contains("in the Secret; spec.keys.kms says \"alias/pds\" in AWS KMS"), "{told}");
}

#[tokio::test]
async fn a_name_that_kms_cannot_have_is_refused() {
    let world = World::new("kms-name").await;
    let class = world.class(json!({"allowed": {"kms": true}})).await;
    let mut spec = spec(&class);
    spec["keys"]["kms"]["keyId"] = json!("some-name");
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "ClassAccepted", "False", "InvalidSpec").await;
    let told = message(&pds, "ClassAccepted");
    assert!(told.starts_with("spec.keys.kms.keyId: \"some-name\" is no name of a key in AWS KMS; allowed:"), "{told}");
}
