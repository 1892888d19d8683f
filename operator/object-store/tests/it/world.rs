//! Requests, provisioners and servers.

use operator_object_store::{Access, Credential, Isolation, Owner, Provisioner, Request, Seed, Service, Versitygw};
use secrecy::SecretString;

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: source the env file of e2e/services/up"))
}

/// A string that no other test has.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// An instance with a name of its own.
pub(crate) fn request() -> Request {
    let (name, fingerprint) = (unique(), unique());
    let owner = Owner { cluster: "one".into(), namespace: "team".into(), name, fingerprint };
    Request {
        owner,
        prefix: Some("it".into()),
        bucket: None,
        is_in_use: false,
        seed: Seed::new([7; 32]),
        service_account: None,
    }
}

/// One whose bucket has a name that somebody chose.
pub(crate) fn named_request() -> Request {
    Request { bucket: Some(format!("named-{}", unique())), ..request() }
}

pub(crate) fn service(endpoint: &str) -> Service {
    Service { endpoint: Some(endpoint.into()), region: "us-east-1".into(), path_style: true, ca_bundle: None }
}

pub(crate) fn endpoint() -> String {
    variable("AURORA_TEST_S3_ENDPOINT")
}

pub(crate) fn credential(id: &str, secret: &str) -> Credential {
    Credential { access_key_id: id.into(), secret_access_key: SecretString::from(secret) }
}

pub(crate) fn root() -> Credential {
    credential(&variable("AURORA_TEST_S3_ACCESS_KEY"), &variable("AURORA_TEST_S3_SECRET_KEY"))
}

pub(crate) fn versitygw() -> Versitygw {
    versitygw_at(&endpoint())
}

pub(crate) fn versitygw_at(endpoint: &str) -> Versitygw {
    // The gateway of the tests is one that does not keep buckets apart.
    Versitygw::new(service(endpoint), root(), Isolation::Waived).unwrap()
}

pub(crate) async fn keys(provisioner: &dyn Provisioner, request: &Request) -> Credential {
    match provisioner.ensure(request, None).await.unwrap() {
        Access::Keys(keys) => keys,
        Access::Role { arn } => panic!("{arn}"),
    }
}
