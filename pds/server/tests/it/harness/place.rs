//! Where a test's blobs are: a folder, or a bucket of its own on a real S3 server.

use std::{fs, path::Path, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Builder, Credentials, Region},
};
use tempfile::TempDir;

pub(crate) enum Place {
    Disk(TempDir),
    S3 { client: Client, bucket: String, endpoint: String },
}

impl Place {
    pub(crate) fn disk() -> Self {
        Self::Disk(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn s3() -> Self {
        let endpoint = variable("AURORA_TEST_S3_ENDPOINT");
        let (id, secret) = (variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
        let keys = Credentials::new(id, secret, None, None, "test");
        let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
        let config = config.endpoint_url(&endpoint).credentials_provider(keys).force_path_style(true);
        let client = Client::from_conf(config.build());
        let bucket = format!("pds-{}", uuid::Uuid::new_v4().simple());
        client.create_bucket().bucket(&bucket).send().await.unwrap();
        Self::S3 { client, bucket, endpoint }
    }

    /// What a server has to be told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Disk(folder) => vec![("PDS_BLOBSTORE_DISK_LOCATION", folder.path().display().to_string())],
            Self::S3 { bucket, endpoint, .. } => vec![
                ("PDS_BLOBSTORE_S3_BUCKET", bucket.clone()),
                ("PDS_BLOBSTORE_S3_ENDPOINT", endpoint.clone()),
                ("PDS_BLOBSTORE_S3_FORCE_PATH_STYLE", "true".into()),
                ("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", variable("AURORA_TEST_S3_ACCESS_KEY")),
                ("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", variable("AURORA_TEST_S3_SECRET_KEY")),
            ],
        }
    }

    /// Objects, finished or not.
    pub(crate) async fn count(&self) -> usize {
        match self {
            Self::Disk(folder) => files(folder.path()),
            Self::S3 { client, bucket, .. } => {
                let objects = client.list_objects_v2().bucket(bucket).send().await.unwrap().contents().len();
                objects + client.list_multipart_uploads().bucket(bucket).send().await.unwrap().uploads().len()
            }
        }
    }

    /// Waits for what happens behind the answers, within seconds.
    pub(crate) async fn until(&self, count: usize) {
        let mut found = 0;
        for _ in 0..400 {
            found = self.count().await;
            if found == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there are {found} objects, not {count}");
    }
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts a server"))
}
