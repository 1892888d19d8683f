//! The S3 server of the tests, as its administrator sees it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};

use super::harness::variable;

pub(crate) fn admin() -> Client {
    let (id, secret) = (variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
    client(&id, &secret)
}

/// A client with any credential.
pub(crate) fn client(id: &str, secret: &str) -> Client {
    let keys = Credentials::new(id, secret, None, None, "test");
    let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = config.endpoint_url(variable("AURORA_TEST_S3_ENDPOINT")).credentials_provider(keys);
    Client::from_conf(config.force_path_style(true).build())
}

pub(crate) async fn put(bucket: &str, key: &str) {
    admin().put_object().bucket(bucket).key(key).body(b"bytes".to_vec().into()).send().await.unwrap();
}

pub(crate) async fn exists(bucket: &str) -> bool {
    admin().head_bucket().bucket(bucket).send().await.is_ok()
}

/// Whether the user of a bucket is there: the server knows the key, whatever the signature is worth.
pub(crate) async fn user_exists(bucket: &str) -> bool {
    use aws_sdk_s3::error::ProvideErrorMetadata;
    let answer = client(bucket, "wrong").list_buckets().send().await;
    answer.unwrap_err().code() != Some("InvalidAccessKeyId")
}

/// Deletes a bucket with what is in it, other than versions.
pub(crate) async fn delete(bucket: &str) {
    let admin = admin();
    for object in admin.list_objects_v2().bucket(bucket).send().await.unwrap().contents() {
        admin.delete_object().bucket(bucket).key(object.key().unwrap()).send().await.unwrap();
    }
    admin.delete_bucket().bucket(bucket).send().await.unwrap();
}
