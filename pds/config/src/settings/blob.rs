//! Where blobs are and how large they may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::{Host, Url};

use crate::choice::{RedirectKind, S3Checksum};
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Where blobs are and how large they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The one store.
    pub store: BlobStore,
    /// Largest blob an account may upload, in bytes.
    pub upload_limit: u64,
    /// Memory of all uploads on their way to S3, in bytes; `None` follows the machine, see the server's `Sizes`.
    pub upload_memory: Option<u64>,
    /// What all blobs of one account may have together, in bytes.
    pub account_quota: Option<u64>,
    /// Where those who read are sent.
    pub redirect: Redirect,
}

/// Where those who read blobs are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// Nowhere: the bytes come from here.
    Off,
    /// To a link into the bucket.
    Presigned,
    /// To a URL with `{did}` and `{cid}` filled in.
    Cdn {
        /// The URL.
        pattern: String,
    },
}

/// Two parts of an upload, which one upload may need.
const LEAST_UPLOAD_MEMORY: u64 = 16 << 20;

/// The one place that holds blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobStore {
    /// A folder.
    Disk(DiskStore),
    /// A bucket.
    S3(Box<S3Store>),
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
    /// The same server as clients reach it.
    pub public_endpoint: Option<Url>,
    /// The bucket is in the path, not in the host name.
    pub force_path_style: bool,
    /// Whether requests carry a checksum.
    pub checksum: S3Checksum,
    /// Longest time for sending one object or part.
    pub upload_timeout: Duration,
    /// Longest time for any other request.
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
                "is less than one upload needs; allowed: 16MiB or more",
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
            reader.refuse(
                &setting::BLOB_REDIRECT,
                value,
                "needs S3, a folder cannot be linked to; allowed: off or cdn",
            );
        }
        // A pattern that is set but wrong has its own problem already.
        if kind == RedirectKind::Cdn && !reader.is_set(&setting::BLOB_CDN_URL_PATTERN) {
            reader.refuse(&setting::BLOB_CDN_URL_PATTERN, None, "is needed because PDS_BLOB_REDIRECT is cdn");
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

    /// The time-outs alone mean nothing: they have defaults and may stay when the store changes.
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

/// `bucket.10.0.0.1` and `bucket.minio` are no names that anything resolves.
fn needs_path_style(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(name)) => !name.contains('.'),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// Some vendors' endpoints name the region that requests have to be signed for.
fn region_in_name(endpoint: &Url) -> Option<String> {
    let name = endpoint.domain()?;
    if name.ends_with(".r2.cloudflarestorage.com") {
        return Some("auto".into());
    }
    let vendor = [".backblazeb2.com", ".wasabisys.com"].iter().find_map(|vendor| name.strip_suffix(vendor))?;
    vendor.strip_prefix("s3.").map(str::to_owned)
}
