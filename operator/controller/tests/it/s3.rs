//! The S3 server of the tests, as its administrator sees it.

use std::net::SocketAddr;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

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

/// Another address of the S3 server, that can be away.
pub(crate) struct Door {
    address: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, open: Some(tokio::spawn(pass(listener))) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection and takes no other.
    pub(crate) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            open.await.ok();
        }
    }

    pub(crate) async fn open_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.open = Some(tokio::spawn(pass(listener)));
    }
}

async fn pass(listener: TcpListener) {
    let server = variable("AURORA_TEST_S3_ENDPOINT").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut connections = JoinSet::new();
    while let Ok((mut from, _)) = listener.accept().await {
        let server = server.clone();
        connections.spawn(async move {
            let mut to = TcpStream::connect(server).await.unwrap();
            tokio::io::copy_bidirectional(&mut from, &mut to).await.ok();
        });
    }
}
