//! Settings of blobs: storage, limits, and how they are served.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::{Host, Url};

use crate::choice::{BlobStoreType, RedirectKind, S3Checksum};
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Storage and limits of blobs, and how they are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub store: BlobStore,
    /// Maximum size of one blob in bytes.
    pub upload_limit: u64,
    /// Maximum memory of all uploads to S3 together, in bytes. `None`: computed from the limits of the container.
    pub upload_memory: Option<u64>,
    /// Maximum size of all records and blobs of one account together, in bytes.
    pub account_quota: Option<u64>,
    pub redirect: Redirect,
}

/// How getBlob answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// With the blob.
    Off,
    /// With a redirect to a presigned link into the bucket.
    Presigned,
    /// With a redirect to a CDN.
    Cdn {
        /// A URL with `{did}` and `{cid}` as placeholders.
        pattern: String,
    },
}

/// One upload needs memory for two parts.
const LEAST_UPLOAD_MEMORY: u64 = 16 << 20;

/// Where blobs are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobStore {
    /// In a directory.
    Disk(DiskStore),
    /// In an S3 bucket.
    S3(Box<S3Store>),
}

/// Blobs in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskStore {
    pub location: PathBuf,
    /// Directory of unfinished uploads. Must be on the same file system as `location`.
    pub tmp_location: PathBuf,
}

/// Blobs in an S3 bucket. The credentials are in [`crate::Secrets`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Store {
    pub bucket: String,
    /// `None`: from the AWS environment.
    pub region: Option<String>,
    /// URL of a server other than AWS.
    pub endpoint: Option<Url>,
    /// URL under which clients reach the server, if it differs.
    pub public_endpoint: Option<Url>,
    /// The name of the bucket is in the path of URLs instead of the host name.
    pub force_path_style: bool,
    pub checksum: S3Checksum,
    /// Maximum time to send one object or part.
    pub upload_timeout: Duration,
    /// Maximum time of any other request.
    pub request_timeout: Duration,
}

impl Blob {
    pub(super) fn read(reader: &mut Reader<'_>, data_directory: &Path) -> Self {
        let store = BlobStore::read(reader, data_directory);
        let upload_memory = reader.optional(&setting::BLOB_UPLOAD_MEMORY);
        if let Some(bytes) = upload_memory
            && bytes < LEAST_UPLOAD_MEMORY
        {
            let value = bytes.to_string();
            reader.refuse(
                &setting::BLOB_UPLOAD_MEMORY,
                Some(value),
                "is less memory than one upload needs; allowed: 16MiB or more",
            );
        }
        Self {
            redirect: Redirect::read(reader, &store),
            store,
            upload_limit: reader.value(&setting::BLOB_UPLOAD_LIMIT),
            upload_memory,
            account_quota: Some(reader.value(&setting::ACCOUNT_QUOTA_BYTES)).filter(|quota| *quota > 0),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { store, upload_limit, upload_memory, account_quota, redirect } = self;
        out.put(&setting::BLOB_UPLOAD_LIMIT, upload_limit);
        out.put_some(&setting::BLOB_UPLOAD_MEMORY, upload_memory.as_ref());
        out.put(&setting::ACCOUNT_QUOTA_BYTES, &account_quota.unwrap_or_default());
        redirect.render(out);
        match store {
            BlobStore::Disk(DiskStore { location, tmp_location }) => {
                out.put(&setting::BLOBSTORE_DISK_LOCATION, location);
                out.put(&setting::BLOBSTORE_DISK_TMP_LOCATION, tmp_location);
            }
            BlobStore::S3(s3) => s3.render(out),
        }
    }
}

impl Redirect {
    fn read(reader: &mut Reader<'_>, store: &BlobStore) -> Self {
        let kind = reader.value(&setting::BLOB_REDIRECT);
        let pattern = reader.optional(&setting::BLOB_CDN_URL_PATTERN);
        if kind == RedirectKind::Presigned && !matches!(store, BlobStore::S3(_)) {
            let value = Some("presigned".into());
            reader.refuse(&setting::BLOB_REDIRECT, value, "requires an S3 bucket; allowed without one: off or cdn");
        }
        // If the pattern is set but wrong, there is a problem for it already.
        if kind == RedirectKind::Cdn && !reader.is_set(&setting::BLOB_CDN_URL_PATTERN) {
            reader.refuse(&setting::BLOB_CDN_URL_PATTERN, None, "is required because PDS_BLOB_REDIRECT is cdn");
        }
        match (kind, pattern) {
            (RedirectKind::Presigned, _) => Self::Presigned,
            (RedirectKind::Cdn, Some(pattern)) => Self::Cdn { pattern },
            (RedirectKind::Off | RedirectKind::Cdn, _) => Self::Off,
        }
    }

    fn render(&self, out: &mut Rendered) {
        let (kind, pattern) = match self {
            Self::Off => (RedirectKind::Off, None),
            Self::Presigned => (RedirectKind::Presigned, None),
            Self::Cdn { pattern } => (RedirectKind::Cdn, Some(pattern)),
        };
        out.put(&setting::BLOB_REDIRECT, &kind);
        out.put_some(&setting::BLOB_CDN_URL_PATTERN, pattern);
    }
}

impl BlobStore {
    fn read(reader: &mut Reader<'_>, data_directory: &Path) -> Self {
        let location = reader.optional(&setting::BLOBSTORE_DISK_LOCATION);
        let tmp_location = reader.optional(&setting::BLOBSTORE_DISK_TMP_LOCATION);
        let bucket = reader.optional(&setting::BLOBSTORE_S3_BUCKET);
        let kind = reader.optional(&setting::BLOBSTORE_TYPE);
        let s3 = S3Store::read(reader, bucket.clone().unwrap_or_default());

        for (set, setting) in [
            (location.is_some(), &setting::BLOBSTORE_DISK_LOCATION),
            (tmp_location.is_some(), &setting::BLOBSTORE_DISK_TMP_LOCATION),
        ] {
            if set && bucket.is_some() {
                reader.refuse(
                    setting,
                    None,
                    "is set together with PDS_BLOBSTORE_S3_BUCKET; allowed: only one of the two",
                );
            }
        }
        let has_bucket = reader.is_set(&setting::BLOBSTORE_S3_BUCKET);
        // If the bucket is set but wrong, there is a problem for it already.
        let lacks_bucket = match kind {
            Some(BlobStoreType::Disk) if has_bucket || S3Store::is_mentioned(reader) => {
                let message =
                    "contradicts PDS_BLOBSTORE_S3_* variables, which are set; allowed: s3, or only one of the two";
                reader.refuse(&setting::BLOBSTORE_TYPE, Some("disk".into()), message);
                None
            }
            Some(BlobStoreType::S3) => Some("is required because PDS_BLOBSTORE_TYPE is s3"),
            _ if S3Store::is_mentioned(reader) => {
                Some("is required because other PDS_BLOBSTORE_S3_* variables are set")
            }
            _ => None,
        };
        if let Some(reason) = lacks_bucket.filter(|_| !has_bucket) {
            reader.refuse(&setting::BLOBSTORE_S3_BUCKET, None, reason);
        }
        if bucket.is_some() {
            return Self::S3(Box::new(s3));
        }
        let location = location.unwrap_or_else(|| data_directory.join("blobs"));
        let tmp_location = tmp_location.unwrap_or_else(|| location.join(".tmp"));
        Self::Disk(DiskStore { location, tmp_location })
    }
}

impl S3Store {
    fn read(reader: &mut Reader<'_>, bucket: String) -> Self {
        let endpoint = reader.optional(&setting::BLOBSTORE_S3_ENDPOINT);
        let region = reader.optional(&setting::BLOBSTORE_S3_REGION);
        let path_style = reader.optional(&setting::BLOBSTORE_S3_FORCE_PATH_STYLE);
        let checksum = reader.optional(&setting::BLOBSTORE_S3_CHECKSUM);
        Self {
            bucket,
            region: region.or_else(|| endpoint.as_ref().and_then(region_in_name)),
            public_endpoint: reader.optional(&setting::BLOBSTORE_S3_PUBLIC_ENDPOINT),
            force_path_style: path_style.unwrap_or_else(|| endpoint.as_ref().is_some_and(needs_path_style)),
            checksum: checksum.unwrap_or(match endpoint {
                Some(_) => S3Checksum::WhenRequired,
                None => S3Checksum::WhenSupported,
            }),
            endpoint,
            upload_timeout: reader.value(&setting::BLOBSTORE_S3_UPLOAD_TIMEOUT_MS),
            request_timeout: reader.value(&setting::BLOBSTORE_S3_REQUEST_TIMEOUT_MS),
        }
    }

    fn render(&self, out: &mut Rendered) {
        let Self {
            bucket,
            region,
            endpoint,
            public_endpoint,
            force_path_style,
            checksum,
            upload_timeout,
            request_timeout,
        } = self;
        out.put(&setting::BLOBSTORE_S3_BUCKET, bucket);
        out.put_some(&setting::BLOBSTORE_S3_REGION, region.as_ref());
        out.put_some(&setting::BLOBSTORE_S3_ENDPOINT, endpoint.as_ref());
        out.put_some(&setting::BLOBSTORE_S3_PUBLIC_ENDPOINT, public_endpoint.as_ref());
        out.put(&setting::BLOBSTORE_S3_FORCE_PATH_STYLE, force_path_style);
        out.put(&setting::BLOBSTORE_S3_CHECKSUM, checksum);
        out.put(&setting::BLOBSTORE_S3_UPLOAD_TIMEOUT_MS, upload_timeout);
        out.put(&setting::BLOBSTORE_S3_REQUEST_TIMEOUT_MS, request_timeout);
    }

    /// Whether a variable of S3 is set. Ignores the timeouts: they may stay set when the blobs move to disk.
    fn is_mentioned(reader: &Reader<'_>) -> bool {
        reader.is_set(&setting::BLOBSTORE_S3_ENDPOINT)
            || reader.is_set(&setting::BLOBSTORE_S3_REGION)
            || reader.is_set(&setting::BLOBSTORE_S3_FORCE_PATH_STYLE)
            || reader.is_set(&setting::BLOBSTORE_S3_CHECKSUM)
            || reader.is_set(&setting::BLOBSTORE_S3_PUBLIC_ENDPOINT)
            || reader.is_set(&setting::BLOBSTORE_S3_ACCESS_KEY_ID)
            || reader.is_set(&setting::BLOBSTORE_S3_SECRET_ACCESS_KEY)
    }
}

/// Whether the host of the endpoint has no subdomains that DNS could resolve: `bucket.10.0.0.1` and `bucket.minio` do not exist.
fn needs_path_style(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(name)) => !name.contains('.'),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// The region in the host name of the endpoint, with which requests have to be signed. Known for R2, B2 and Wasabi.
fn region_in_name(endpoint: &Url) -> Option<String> {
    let name = endpoint.domain()?;
    if name.ends_with(".r2.cloudflarestorage.com") {
        return Some("auto".into());
    }
    let vendor = [".backblazeb2.com", ".wasabisys.com"].iter().find_map(|vendor| name.strip_suffix(vendor))?;
    vendor.strip_prefix("s3.").map(str::to_owned)
}
