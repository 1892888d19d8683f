//! The stores under test. The environment names a real S3 server. Each test creates its own bucket.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Region};
use bytes::Bytes;
use pds_blobstore::{BlobStore, Credentials, Disk, Memory, S3, S3Checksum, S3Options};
use tempfile::TempDir;

/// A store, and values that must live as long as the store.
pub(crate) struct Store {
    pub(crate) blobs: Arc<dyn BlobStore>,
    _folder: Option<TempDir>,
}

/// A bucket, and a client that can read everything in it.
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) options: S3Options,
}

pub(crate) async fn memory() -> Store {
    Store { blobs: Arc::new(Memory::new()), _folder: None }
}

pub(crate) async fn disk() -> Store {
    let folder = TempDir::new().unwrap();
    let blobs = Disk::open(folder.path().join("blobs"), folder.path().join("tmp")).unwrap();
    Store { blobs: Arc::new(blobs), _folder: Some(folder) }
}

pub(crate) async fn s3() -> Store {
    Store { blobs: Arc::new(S3::connect(bucket().await.options).await), _folder: None }
}

/// As on AWS.
pub(crate) async fn s3_with_checksums() -> Store {
    let options = S3Options { checksum: S3Checksum::WhenSupported, ..bucket().await.options };
    Store { blobs: Arc::new(S3::connect(options).await), _folder: None }
}

pub(crate) async fn bucket() -> Bucket {
    let endpoint = variable("AURORA_TEST_S3_ENDPOINT");
    let (id, secret) = (variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
    let keys = aws_sdk_s3::config::Credentials::new(&id, &secret, None, None, "test");
    let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = config.endpoint_url(&endpoint).credentials_provider(keys).force_path_style(true);
    let client = Client::from_conf(config.build());
    let bucket = format!("blobstore-{}", uuid::Uuid::new_v4().simple());
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    let options = S3Options {
        bucket,
        region: None,
        endpoint: Some(endpoint.parse().unwrap()),
        public_endpoint: None,
        force_path_style: true,
        checksum: S3Checksum::WhenRequired,
        credentials: Some(Credentials { access_key_id: id.into(), secret_access_key: secret.into() }),
        ca_bundle: None,
        upload_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(10),
        upload_memory_bytes: 128 << 20,
    };
    Bucket { client, options }
}

impl Bucket {
    pub(crate) async fn objects(&self) -> Vec<String> {
        let list = self.client.list_objects_v2().bucket(&self.options.bucket).send().await.unwrap();
        list.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    pub(crate) async fn uploads(&self) -> usize {
        self.client.list_multipart_uploads().bucket(&self.options.bucket).send().await.unwrap().uploads().len()
    }

    /// Waits until a condition holds. Fails after ten seconds.
    pub(crate) async fn wait_until_empty(&self) {
        for _ in 0..200 {
            if self.uploads().await == 0 && self.objects().await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} uploads and objects {:?} are left", self.uploads().await, self.objects().await);
    }
}

/// Bytes that differ at neighbouring positions.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>().into()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need a real S3 server, `make test` starts one and sets it")
    })
}
