//! How to reach a bucket.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How to reach a bucket.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the bucket; it must exist.
    pub bucket: String,
    /// Region; `None` takes the AWS environment's, or `us-east-1` at an own endpoint.
    pub region: Option<String>,
    /// Server that is not AWS.
    pub endpoint: Option<Url>,
    /// The same server as clients reach it, for links; `None` if there is no difference.
    pub public_endpoint: Option<Url>,
    /// The bucket is in the path, not in the host name.
    pub force_path_style: bool,
    /// Which checksums are sent and looked at.
    pub checksum: Checksum,
    /// Keys; `None` means workload identity, found as the AWS SDKs do.
    pub credentials: Option<Credentials>,
    /// Certificates in PEM form that are trusted beside the system's; valid ones.
    pub ca_bundle: Option<String>,
    /// Longest time for sending one object or part, repeats included.
    pub upload_timeout: Duration,
    /// Longest time until any other request is answered, repeats included.
    pub request_timeout: Duration,
    /// Bytes that all uploads may hold in memory together; at least two parts.
    pub upload_memory_bytes: usize,
}

/// When requests and answers carry a checksum (CRC-32) beside the signature, in the words of the AWS SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Always: AWS. Some other servers refuse it.
    WhenSupported,
    /// Where the protocol demands one, which it does for nothing that is done here.
    WhenRequired,
}

/// Keys of an S3 user.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: SecretString,
    /// Secret access key.
    pub secret_access_key: SecretString,
}
