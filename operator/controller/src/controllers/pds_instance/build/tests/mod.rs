mod fields;
mod network;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use operator_api::{PdsClass, PdsInstance};
use serde_json::{Value, json};

use super::super::observe::{ClassFound, Observed};
use super::super::reason::Reason;
use super::super::validate::{Refusal, Validated, validate};
use super::{Resources, build};

fn class() -> Value {
    json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsClass", "metadata": {"name": "standard"},
        "spec": {
            "images": {"pds": "pds:1", "postgres": "postgres:17"}, "plcUrl": "http://plc.test:2582",
            "s3": {"endpoint": "http://s3.test:7070", "adminSecretName": "admin", "provisioner": "Versitygw"},
            "limits": {"maxReplicas": 3}
        }
    })
}

fn observed() -> Observed {
    let class: PdsClass = serde_json::from_value(class()).unwrap();
    Observed { class: ClassFound::Found(class.into()), namespace_uid: "n".into(), ..Default::default() }
}

fn instance(name: &str, spec: Value) -> PdsInstance {
    let metadata = ObjectMeta {
        name: Some(name.into()),
        namespace: Some("ns".into()),
        uid: Some("u".into()),
        ..Default::default()
    };
    PdsInstance { metadata, spec: serde_json::from_value(spec).unwrap(), status: None }
}

fn validated(spec: Value) -> Result<Validated, Refusal> {
    validate(&instance("demo", spec), &observed())
}

fn built(spec: Value) -> Resources {
    built_as("demo", spec)
}

fn built_as(name: &str, spec: Value) -> Resources {
    build(&validate(&instance(name, spec), &observed()).unwrap(), &observed())
}

fn containers(resources: &Resources) -> Vec<Value> {
    let json = |value: Option<Value>| value.unwrap_or_default();
    let of = |object: Value| object["spec"]["template"]["spec"].clone();
    vec![
        of(serde_json::to_value(&resources.deployment).unwrap()),
        json(resources.migrate.as_ref().map(|job| of(serde_json::to_value(job).unwrap()))),
        json(resources.postgres.as_ref().map(|pg| of(serde_json::to_value(&pg.stateful_set).unwrap()))),
    ]
}

#[test]
fn the_smallest_spec_is_postgres_and_a_bucket() {
    let resources = built(json!({"hostname": "demo.test"}));
    assert!(resources.postgres.is_some() && resources.migrate.is_some() && resources.budget.is_some());
    assert_eq!(resources.deployment.spec.as_ref().unwrap().replicas, Some(2));
    let config = resources.config.data.unwrap();
    assert_eq!(config["PDS_HOSTNAME"], "demo.test");
    assert_eq!(config["PDS_INVITE_REQUIRED"], "true");
    assert!(config["PDS_BLOBSTORE_S3_BUCKET"].starts_with("demo-"));
    assert!(!config.contains_key("PDS_JWT_SECRET"));
}

#[test]
fn sqlite_is_one_pod_with_a_volume() {
    let resources = built(json!({"hostname": "demo.test", "database": {"sqlite": {}}}));
    assert!(resources.postgres.is_none() && resources.migrate.is_none() && resources.budget.is_none());
    let spec = resources.deployment.spec.unwrap();
    assert_eq!((spec.replicas, spec.strategy.unwrap().type_.as_deref()), (Some(1), Some("Recreate")));
    assert_eq!(resources.volume.unwrap().metadata.owner_references, None);
}

#[test]
fn every_pod_is_restricted() {
    for pod in containers(&built(json!({"hostname": "demo.test"}))) {
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
    }
}

#[test]
fn the_same_spec_gives_the_same_objects() {
    let twice = [(), ()].map(|()| built(json!({"hostname": "demo.test"})));
    let [first, second] = twice.map(|resources| containers(&resources));
    assert_eq!(first, second);
}

#[test]
fn tls_changes_port_and_settings() {
    let resources = built(json!({"hostname": "demo.test", "tls": {"secretName": "cert"}}));
    let port = &resources.services[0].spec.as_ref().unwrap().ports.as_ref().unwrap()[0];
    assert_eq!(port.port, 443);
    assert_eq!(resources.config.data.unwrap()["PDS_TLS_CERT_FILE"], "/tls/tls.crt");
}

#[test]
fn another_image_is_another_migration_and_other_settings_are_not() {
    let name = |spec| built(spec).migrate.unwrap().metadata.name.unwrap();
    let first = name(json!({"hostname": "demo.test"}));
    assert_ne!(first, name(json!({"hostname": "demo.test", "image": "pds:2"})));
    assert_eq!(first, name(json!({"hostname": "demo.test", "identity": {"invites": "Open"}})));
}

#[test]
fn policies_can_be_off() {
    assert_eq!(built(json!({"hostname": "demo.test"})).network_policies.len(), 3);
    assert!(built(json!({"hostname": "demo.test", "network": {"policy": "Off"}})).network_policies.is_empty());
}

#[test]
fn refusals_name_field_value_and_what_is_allowed() {
    let refusal = validated(json!({"hostname": "demo.test", "replicas": 4})).unwrap_err();
    assert_eq!(refusal.reason, Reason::QuotaExceeded);
    assert_eq!(refusal.message, "spec.replicas: 4; PdsClass \"standard\" allows at most 3");
    let refusal =
        validated(json!({"hostname": "demo.test", "handleDomains": [{"domain": "pds.internal"}]})).unwrap_err();
    assert_eq!(refusal.reason, Reason::InvalidSpec);
    assert!(refusal.message.contains("PDS_SERVICE_HANDLE_DOMAINS"), "{}", refusal.message);
}

#[test]
fn blobs_do_not_move_to_another_bucket() {
    let mut pds = instance("demo", json!({"hostname": "demo.test", "blobStore": {"s3": {"bucket": "other"}}}));
    pds.status = serde_json::from_value(json!({"blobStore": {"bucket": "first"}})).unwrap();
    assert!(validate(&pds, &observed()).unwrap_err().message.contains("the blobs are in \"first\""));
}

#[test]
fn pods_start_anew_with_every_secret_that_they_read_and_with_no_other_change() {
    let secret = |value: &str| {
        let data = [("key".to_owned(), ByteString(value.into()))].into();
        Some(Secret { data: Some(data), ..Default::default() })
    };
    let base = Observed { keys: secret("k"), s3_secret: secret("s"), postgres_secret: secret("p"), ..observed() };
    let wanted = validated(json!({"hostname": "demo.test"})).unwrap();
    let template = |observed: &Observed| build(&wanted, observed).deployment.spec.unwrap().template;
    let mut renewed = base.clone();
    renewed.s3_secret.as_mut().unwrap().metadata.resource_version = Some("2".into());
    assert_eq!(template(&base), template(&renewed));
    let mut url = base.clone();
    url.references.database_url = Some(ByteString(b"postgres://b".into()));
    for changed in [
        Observed { keys: secret("2"), ..base.clone() },
        Observed { s3_secret: secret("2"), ..base.clone() },
        Observed { postgres_secret: secret("2"), ..base.clone() },
        url,
    ] {
        assert_ne!(template(&base), template(&changed));
    }
}

#[test]
fn another_database_is_another_migration() {
    let spec = json!({"hostname": "demo.test", "database": {"external": {"uriSecret": {"name": "db", "key": "url"}}}});
    let wanted = validated(spec).unwrap();
    let name = |url: &str| {
        let mut observed = observed();
        observed.references.database_url = Some(ByteString(url.into()));
        build(&wanted, &observed).migrate.unwrap().metadata.name
    };
    assert_eq!(name("postgres://a"), name("postgres://a"));
    assert_ne!(name("postgres://a"), name("postgres://b"));
}
