//! Where blobs are and how large they may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::{Host, Url};

use super::Rendered;
use crate::reader::Reader;
use crate::table::setting;

/// Where blobs are and how large they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The one store.
    pub store: BlobStore,
    /// Largest blob an account may upload, in bytes.
    pub upload_limit: u64,
}

/// The one place that holds blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobStore {
    /// A folder.
    Disk(DiskStore),
    /// A bucket.
    S3(S3Store),
}

/// Blobs in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskStore {
    /// Folder of the blobs.
    pub location: PathBuf,
    /// Folder of incomplete uploads, on the same file system.
    pub tmp_location: PathBuf,
}

/// Blobs in a bucket. Keys are in [`crate::Secrets`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Store {
    /// Name of the bucket.
    pub bucket: String,
    /// Region; `None` leaves it to the AWS environment.
    pub region: Option<String>,
    /// Server that is not AWS.
    pub endpoint: Option<Url>,
    /// The bucket is in the path, not in the host name.
    pub force_path_style: bool,
    /// Longest time for sending one object or part.
    pub upload_timeout: Duration,
    /// Longest time for any other request.
    pub request_timeout: Duration,
}

impl Blob {
    pub(super) fn read(reader: &mut Reader<'_>, data_directory: &Path) -> Self {
        Self { store: BlobStore::read(reader, data_directory), upload_limit: reader.value(&setting::BLOB_UPLOAD_LIMIT) }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { store, upload_limit } = self;
        out.put(&setting::BLOB_UPLOAD_LIMIT, upload_limit);
        match store {
            BlobStore::Disk(DiskStore { location, tmp_location }) => {
                out.put(&setting::BLOBSTORE_DISK_LOCATION, location);
                out.put(&setting::BLOBSTORE_DISK_TMP_LOCATION, tmp_location);
            }
            BlobStore::S3(S3Store { bucket, region, endpoint, force_path_style, upload_timeout, request_timeout }) => {
                out.put(&setting::BLOBSTORE_S3_BUCKET, bucket);
                out.put_some(&setting::BLOBSTORE_S3_REGION, region.as_ref());
                out.put_some(&setting::BLOBSTORE_S3_ENDPOINT, endpoint.as_ref());
                out.put(&setting::BLOBSTORE_S3_FORCE_PATH_STYLE, force_path_style);
                out.put(&setting::BLOBSTORE_S3_UPLOAD_TIMEOUT_MS, upload_timeout);
                out.put(&setting::BLOBSTORE_S3_REQUEST_TIMEOUT_MS, request_timeout);
            }
        }
    }
}

impl BlobStore {
    fn read(reader: &mut Reader<'_>, data_directory: &Path) -> Self {
        let location = reader.optional(&setting::BLOBSTORE_DISK_LOCATION);
        let tmp_location = reader.optional(&setting::BLOBSTORE_DISK_TMP_LOCATION);
        let bucket = reader.optional(&setting::BLOBSTORE_S3_BUCKET);
        let s3 = S3Store::read(reader, bucket.clone().unwrap_or_default());

        for (set, setting) in [
            (location.is_some(), &setting::BLOBSTORE_DISK_LOCATION),
            (tmp_location.is_some(), &setting::BLOBSTORE_DISK_TMP_LOCATION),
        ] {
            if set && bucket.is_some() {
                reader.refuse(setting, None, "is set beside PDS_BLOBSTORE_S3_BUCKET; allowed: disk or S3, not both");
            }
        }
        // A bucket that is set but wrong has its own problem already.
        if !reader.is_set(&setting::BLOBSTORE_S3_BUCKET) && S3Store::is_mentioned(reader) {
            reader.refuse(&setting::BLOBSTORE_S3_BUCKET, None, "is needed because other PDS_BLOBSTORE_S3_* are set");
        }
        if bucket.is_some() {
            return Self::S3(s3);
        }
        let location = location.unwrap_or_else(|| data_directory.join("blobs"));
        let tmp_location = tmp_location.unwrap_or_else(|| location.join(".tmp"));
        Self::Disk(DiskStore { location, tmp_location })
    }
}

impl S3Store {
    fn read(reader: &mut Reader<'_>, bucket: String) -> Self {
        let endpoint = reader.optional(&setting::BLOBSTORE_S3_ENDPOINT);
        let path_style = reader.optional(&setting::BLOBSTORE_S3_FORCE_PATH_STYLE);
        Self {
            bucket,
            region: reader.optional(&setting::BLOBSTORE_S3_REGION),
            force_path_style: path_style.unwrap_or_else(|| endpoint.as_ref().is_some_and(needs_path_style)),
            endpoint,
            upload_timeout: reader.value(&setting::BLOBSTORE_S3_UPLOAD_TIMEOUT_MS),
            request_timeout: reader.value(&setting::BLOBSTORE_S3_REQUEST_TIMEOUT_MS),
        }
    }

    /// The time-outs alone mean nothing: they have defaults and may stay when the store changes.
    fn is_mentioned(reader: &Reader<'_>) -> bool {
        reader.is_set(&setting::BLOBSTORE_S3_ENDPOINT)
            || reader.is_set(&setting::BLOBSTORE_S3_REGION)
            || reader.is_set(&setting::BLOBSTORE_S3_FORCE_PATH_STYLE)
            || reader.is_set(&setting::BLOBSTORE_S3_ACCESS_KEY_ID)
            || reader.is_set(&setting::BLOBSTORE_S3_SECRET_ACCESS_KEY)
    }
}

/// `bucket.10.0.0.1` and `bucket.minio` are no names that anything resolves.
fn needs_path_style(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(name)) => !name.contains('.'),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}
