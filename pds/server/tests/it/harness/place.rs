//! Where a test's blobs are: a folder, or a bucket of its own on a real S3 server.

use std::{fs, path::Path, process::Command, time::Duration};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::variable;

/// SHA-256 of nothing, which is what these requests carry.
const NO_BODY: &str = "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(crate) enum Place {
    Disk(TempDir),
    S3 { bucket: String, endpoint: String },
}

impl Place {
    pub(crate) fn disk() -> Self {
        Self::Disk(tempfile::tempdir().unwrap())
    }

    pub(crate) fn s3() -> Self {
        let endpoint = variable("AURORA_TEST_S3_ENDPOINT");
        let bucket = format!("pds-{}", uuid::Uuid::new_v4().simple());
        s3("PUT", &format!("{endpoint}/{bucket}"));
        Self::S3 { bucket, endpoint }
    }

    /// What a server has to be told.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Disk(folder) => vec![("PDS_BLOBSTORE_DISK_LOCATION", folder.path().display().to_string())],
            Self::S3 { bucket, endpoint } => vec![
                ("PDS_BLOBSTORE_S3_BUCKET", bucket.clone()),
                ("PDS_BLOBSTORE_S3_ENDPOINT", endpoint.clone()),
                ("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", variable("AURORA_TEST_S3_ACCESS_KEY")),
                ("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", variable("AURORA_TEST_S3_SECRET_KEY")),
            ],
        }
    }

    /// An object in the bucket that no server of ours has put there.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let Self::S3 { bucket, endpoint } = self else { panic!("not S3") };
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let digest = format!("x-amz-content-sha256: {}", HEXLOWER.encode(&Sha256::digest(bytes)));
        // The colons of a DID are encoded as they are signed.
        let url = format!("{endpoint}/{bucket}/{}", name.replace(':', "%3A"));
        request(&["-X", "PUT", &url, "--upload-file", file.path().to_str().unwrap(), "--header", &digest]);
    }

    /// Objects, finished or not.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Disk(folder) => files(folder.path()),
            Self::S3 { bucket, endpoint } => {
                let objects = s3("GET", &format!("{endpoint}/{bucket}?list-type=2")).matches("<Key>").count();
                objects + s3("GET", &format!("{endpoint}/{bucket}?uploads=")).matches("<UploadId>").count()
            }
        }
    }

    /// Waits for what happens behind the answers, within seconds.
    pub(crate) async fn until(&self, count: usize) {
        let mut found = 0;
        for _ in 0..400 {
            found = self.count();
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

/// A signed request; its answer's text.
fn s3(method: &str, url: &str) -> String {
    request(&["-X", method, url, "--header", NO_BODY])
}

/// A request of curl with these arguments, signed; its answer's text.
fn request(arguments: &[&str]) -> String {
    let user = format!("{}:{}", variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
    let sign = ["-sS", "--fail-with-body", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user];
    let output = Command::new("curl").args(sign).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
