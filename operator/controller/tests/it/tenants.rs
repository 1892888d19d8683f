//! What a tenant writes into its own namespace gives it nothing in the S3 service, and takes nothing from others.

use aws_sdk_s3::Client;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};
use operator_api::PdsInstance;
use operator_object_store::{
    Access, Credential, Isolation, Owner, Provisioner, Request, Seed, Service, Versitygw, bucket_name,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::harness::{World, bucket, eventually, message, variable};
use super::s3;

/// Makes the user an administrator where the text is put into XML as it is.
const XML: &str = "p</Secret><Role>admin</Role></Account>";

fn labels(instance: &str) -> Value {
    json!({
        "app.kubernetes.io/managed-by": "aurora-locus-operator", "app.kubernetes.io/name": "aurora-locus",
        "auroralocus.dev/instance": instance, "auroralocus.dev/component": "blobs",
    })
}

async fn plant(world: &World, instance: &str, id: &str, labels: Value) {
    let metadata = json!({"name": format!("{instance}-s3"), "labels": labels});
    let data = json!({"accessKeyId": id, "secretAccessKey": XML});
    world.make::<Secret>(json!({"metadata": metadata, "stringData": data})).await;
}

/// The credential in the Secret of an instance.
async fn credential(world: &World, instance: &str) -> (String, String) {
    let data = world.api::<Secret>().get(&format!("{instance}-s3")).await.unwrap().data.unwrap();
    let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
    (text("accessKeyId"), text("secretAccessKey"))
}

async fn works(client: &Client, bucket: &str) -> bool {
    client.put_object().bucket(bucket).key("probe").body(b"1".to_vec().into()).send().await.is_ok()
}

/// F40.
#[tokio::test]
async fn a_planted_credential_is_refused_and_makes_no_user() {
    let world = World::new("plant").await;
    let _node = world.run_pods();
    let evil = format!("evil-{}", world.namespace);
    plant(&world, "full", &evil, json!({})).await;
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    let pds = world.condition("full", "BlobStoreReady", "False", "ObjectNotOwned").await;
    let message = message(&pds, "BlobStoreReady");
    assert!(message.starts_with("Secret full-s3 exists already and was not made by this instance"), "{message}");
    world.condition("full", "Stalled", "True", "ObjectNotOwned").await;
    let derived = bucket_name(None, &world.namespace, "full");
    assert!(!s3::exists(&derived).await && !s3::user_exists(&derived).await && !s3::user_exists(&evil).await);
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());
    assert_eq!(credential(&world, "full").await, (evil, XML.to_owned()), "the tenant's Secret is untouched");

    // What the message says helps.
    world.api::<Secret>().delete("full-s3", &Default::default()).await.unwrap();
    world.ready("full").await;
}

/// F40 with the operator's own marks: the Secret is output, so what it held is replaced.
#[tokio::test]
async fn a_planted_credential_with_our_marks_is_replaced_and_makes_no_user() {
    let world = World::new("marked").await;
    let _node = world.run_pods();
    let evil = format!("evil-{}", world.namespace);
    plant(&world, "full", &evil, labels("full")).await;
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    let pds = world.ready("full").await;
    let (id, secret) = credential(&world, "full").await;
    assert_eq!(id, bucket_name(None, &world.namespace, "full"));
    assert_ne!(secret, XML);
    assert!(!s3::user_exists(&evil).await);
    let client = s3::client(&id, &secret);
    assert!(works(&client, &bucket(&pds)).await);
    // An administrator sees every bucket.
    let seen = client.list_buckets().send().await.map(|list| list.buckets().len()).unwrap_or_default();
    assert!(seen <= 1, "{seen} buckets");
}

/// F41.
#[tokio::test]
async fn the_credential_of_another_instance_cannot_be_taken_over() {
    let world = World::new("victim").await;
    let thieves = world.neighbour().await;
    let _nodes = (world.run_pods(), thieves.run_pods());
    world.create("victim", json!({"hostname": "victim.test", "className": "real"})).await.unwrap();
    let victim = bucket(&world.ready("victim").await);
    let (id, secret) = credential(&world, "victim").await;

    plant(&thieves, "thief", &id, labels("thief")).await;
    thieves.create("thief", json!({"hostname": "thief.test", "className": "real"})).await.unwrap();
    thieves.ready("thief").await;
    assert!(works(&s3::client(&id, &secret), &victim).await, "the victim's credential is as it was");
    let (own, key) = credential(&thieves, "thief").await;
    assert_eq!(own, bucket_name(None, &thieves.namespace, "thief"));
    assert!(!works(&s3::client(&own, &key), &victim).await);
    assert!(!works(&s3::client(&id, XML), &victim).await);
}

/// A user of the S3 service that has nothing to do with the operator.
async fn stranger(world: &World) -> Credential {
    let service = Service {
        endpoint: Some(variable("AURORA_TEST_S3_ENDPOINT")),
        region: "us-east-1".into(),
        path_style: true,
        ca_bundle: None,
    };
    let admin = Credential {
        access_key_id: variable("AURORA_TEST_S3_ACCESS_KEY"),
        secret_access_key: variable("AURORA_TEST_S3_SECRET_KEY").into(),
    };
    let owner = Owner {
        cluster: "other".into(),
        namespace: world.namespace.clone(),
        name: "cron-agent".into(),
        fingerprint: "other".into(),
    };
    let request = Request {
        owner,
        prefix: None,
        bucket: None,
        is_in_use: false,
        seed: Seed::new([7; 32]),
        service_account: None,
    };
    let made = Versitygw::new(service, admin, Isolation::Waived).unwrap().ensure(&request, None).await.unwrap();
    let Access::Keys(credential) = made else { panic!("a role") };
    credential
}

/// F42.
#[tokio::test]
async fn a_bucket_named_like_a_user_of_the_s3_service_gives_nothing() {
    let world = World::new("cron").await;
    let _node = world.run_pods();
    let user = stranger(&world).await;
    let (name, key) = (user.access_key_id.as_str(), user.secret_access_key.expose_secret());
    let works_still = async || works(&s3::client(name, key), name).await;
    assert!(works_still().await);
    let spec = |class: &str| {
        json!({
            "hostname": "full.test", "className": class, "blobStore": {"s3": {"bucket": name}},
            "deletionPolicy": {"blobs": "Delete"},
        })
    };

    world.create("closed", spec("real")).await.unwrap();
    let pds = world.condition("closed", "Stalled", "True", "NotAllowed").await;
    let why = format!("spec.blobStore.s3.bucket: {name:?}; PdsClass \"real\" lets no instance name its bucket");
    assert!(message(&pds, "ClassAccepted").starts_with(&why), "{}", message(&pds, "ClassAccepted"));
    assert!(!pds.status.unwrap().conditions.iter().any(|found| found.type_ == "KeysReady"));
    world.delete("closed").await;

    let class = world.class(json!({"allowed": {"bucketNames": true}})).await;
    world.create("open", spec(&class)).await.unwrap();
    world.condition("open", "Stalled", "True", "NotAllowed").await;
    assert!(works_still().await);
    world.delete("open").await;
    assert!(works_still().await && s3::exists(name).await, "user and bucket are left");
    assert!(!s3::user_exists(&bucket_name(None, &world.namespace, "open")).await);
}

/// The names that the operator derives can be computed by anybody, before the other instance comes.
#[tokio::test]
async fn the_derived_name_of_another_instance_cannot_be_chosen() {
    let world = World::new("squat").await;
    let class = world.class(json!({"allowed": {"bucketNames": true}})).await;
    let name = bucket_name(None, "victim", "future");
    let spec = json!({"hostname": "full.test", "className": class, "blobStore": {"s3": {"bucket": name}}});
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "Stalled", "True", "NotAllowed").await;
    let why = format!("spec.blobStore.s3.bucket: {name:?}; allowed: names that do not end");
    assert!(message(&pds, "ClassAccepted").starts_with(&why), "{}", message(&pds, "ClassAccepted"));
    assert!(!s3::exists(&name).await);
}

/// A Secret of any name that the spec points at is read by its name in the namespace of the instance, never elsewhere.
#[tokio::test]
async fn nothing_of_an_instance_is_made_before_it_may_be() {
    let world = World::new("none").await;
    world.create("full", json!({"hostname": "full.test", "className": "real", "image": "evil/pds:1"})).await.unwrap();
    world.condition("full", "Stalled", "True", "NotAllowed").await;
    let secrets = world.api::<Secret>().list(&ListParams::default()).await.unwrap();
    assert!(secrets.items.is_empty());
    let claims = Api::<operator_api::PdsHostnameClaim>::all(world.client.clone());
    let hostname = world.hostname("full");
    let all = claims.list(&ListParams::default()).await.unwrap();
    assert!(all.iter().all(|claim| claim.spec.hostname != hostname));
    assert!(!s3::exists(&bucket_name(None, &world.namespace, "full")).await);
    let api = world.api::<PdsInstance>();
    eventually("it has no finalizer", async || api.get("full").await.ok()?.metadata.finalizers.is_none().then_some(()))
        .await;
}
