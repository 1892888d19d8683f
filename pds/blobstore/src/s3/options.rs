//! How to reach a bucket.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How to reach a bucket.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the bucket, which must exist.
    pub bucket: String,
    /// `None`: `us-east-1` if there is an endpoint, otherwise the region of the AWS environment.
    pub region: Option<String>,
    /// URL of a server other than AWS.
    pub endpoint: Option<Url>,
    /// URL under which clients reach the server, for links. `None` if it is the same.
    pub public_endpoint: Option<Url>,
    /// The name of the bucket is in the path of URLs instead of the host name.
    pub force_path_style: bool,
    pub checksum: Checksum,
    /// `None` means workload identity, found as the AWS SDKs do.
    pub credentials: Option<Credentials>,
    /// Valid certificates in PEM form that are trusted in addition to the system's.
    pub ca_bundle: Option<String>,
    /// Maximum time to send one object or part. Includes retries.
    pub upload_timeout: Duration,
    /// Maximum time of any other request. Includes retries.
    pub request_timeout: Duration,
    /// Maximum memory of all uploads together. At least two parts.
    pub upload_memory_bytes: usize,
}

/// Which requests and responses carry a checksum (CRC-32), in the words of the AWS SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// All. For AWS; some other servers refuse such requests.
    WhenSupported,
    /// Those for which the protocol requires one. None of the requests of this crate do.
    WhenRequired,
}

/// Credentials of an S3 user.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
}
