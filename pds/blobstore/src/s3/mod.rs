//! Objects in a bucket of any S3 server.

mod budget;
mod buffer;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::meta::region::ProvideRegion as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{self, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Blob, BlobKey, BlobStore, Error, Link, Result, Upload};
use budget::Budget;
use buffer::Pool;
pub use upload::PART_BYTES;
use upload::S3Upload;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

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

/// Objects in a bucket. Clones share connections and the memory budget of uploads.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
    /// Makes links: clients may reach the server by another name, and must not be asked for checksums.
    links: Client,
    bucket: Arc<str>,
    budget: Budget,
    pool: Pool,
    /// What protects parts on their way; an upload in parts has to name it from the start.
    checksum: Option<ChecksumAlgorithm>,
    upload_timeout: Duration,
    request_timeout: Duration,
}

impl S3 {
    /// Prepares the client; asks neither the server nor, with keys and a region given, the environment. See [`BlobStore::health`].
    ///
    /// Without keys the AWS environment gives them when they are first needed, as the AWS SDKs find them: variables, profile, web
    /// identity (EKS), container, instance.
    pub async fn connect(options: Options) -> Self {
        let region = options.region.or(options.endpoint.is_some().then(|| "us-east-1".into())).map(Region::new);
        let http = options.ca_bundle.map(trusting);
        let mut config = match &options.credentials {
            Some(keys) => {
                let id = keys.access_key_id.expose_secret();
                let secret = keys.secret_access_key.expose_secret();
                let keys = config::Credentials::new(id, secret, None, None, "settings");
                // The environment may still know the region.
                let region = match region {
                    None => aws_config::default_provider::region::default_provider().region().await,
                    region => region,
                };
                config::Builder::new()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(keys)
                    .region(region)
            }
            None => {
                let mut environment = aws_config::defaults(BehaviorVersion::latest());
                if let Some(region) = region {
                    environment = environment.region(region);
                }
                // The service that gives the keys may have a certificate of the same authority.
                if let Some(http) = &http {
                    environment = environment.http_client(http.clone());
                }
                config::Builder::from(&environment.load().await)
            }
        };
        if let Some(http) = http {
            config = config.http_client(http);
        }
        if let Some(endpoint) = options.endpoint {
            config = config.endpoint_url(endpoint);
        }
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT.min(options.request_timeout)).build();
        let config = config.force_path_style(options.force_path_style).timeout_config(timeouts);
        let mut links = with_checksum(config.clone(), Checksum::WhenRequired);
        if let Some(endpoint) = options.public_endpoint {
            links = links.endpoint_url(endpoint);
        }
        let config = with_checksum(config, options.checksum);
        Self {
            client: Client::from_conf(config.build()),
            links: Client::from_conf(links.build()),
            bucket: options.bucket.into(),
            budget: Budget::new(options.upload_memory_bytes.max(2 * PART_BYTES)),
            pool: Pool::default(),
            checksum: (options.checksum == Checksum::WhenSupported).then_some(ChecksumAlgorithm::Crc32),
            upload_timeout: options.upload_timeout,
            request_timeout: options.request_timeout,
        }
    }

    /// Sends a request that is not an upload, within its time.
    async fn request<T, E>(
        &self,
        operation: &'static str,
        subject: &str,
        sent: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<Result<T, SdkError<E>>> {
        let timed_out = |_| Error::TimedOut { operation, subject: subject.to_owned() };
        tokio::time::timeout(self.request_timeout, sent).await.map_err(timed_out)
    }
}

#[async_trait]
impl BlobStore for S3 {
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>> {
        Ok(Box::new(S3Upload::new(self.clone(), key.clone())))
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        let out_of_range = || Error::OutOfRange { key: key.clone() };
        if range.as_ref().is_some_and(Range::is_empty) {
            return Err(out_of_range());
        }
        let header = range.as_ref().map(range_header);
        let sent = self.client.get_object().bucket(&*self.bucket).key(key.as_str()).set_range(header).send();
        let object = self.request("get", key.as_str(), sent).await?.map_err(|error| match status(&error) {
            Some(404) => Error::NotFound { key: key.clone() },
            Some(416) => out_of_range(),
            _ => Error::failed("get", key)(error),
        })?;
        let length = object.content_length().and_then(|length| u64::try_from(length).ok());
        let start = range.map_or(0, |range| range.start);
        let (length, size) = match (length, object.content_range()) {
            (Some(length), None) if start == 0 => (length, length),
            (Some(length), Some(range)) => (length, total(range).ok_or_else(|| nonsense("get", key))?),
            _ => return Err(nonsense("get", key)),
        };
        Ok(Blob { size, range: start..start + length, stream: pieces(object.body, key.clone()) })
    }

    async fn link(&self, key: &BlobKey, link: &Link<'_>) -> Result<Option<Url>> {
        let validity = PresigningConfig::expires_in(link.valid).map_err(Error::failed("link", key))?;
        let get = self.links.get_object().bucket(&*self.bucket).key(key.as_str());
        let get = get.response_content_type(link.content_type).response_cache_control(link.cache_control);
        let signed = get.response_content_disposition(link.content_disposition).presigned(validity);
        let signed = self.request("link", key.as_str(), signed).await?.map_err(Error::failed("link", key))?;
        signed.uri().parse().map(Some).map_err(Error::failed("link", key))
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        let sent = self.client.delete_object().bucket(&*self.bucket).key(key.as_str()).send();
        match self.request("delete", key.as_str(), sent).await? {
            Err(error) if status(&error) == Some(404) && error.code() != Some("NoSuchBucket") => Ok(()),
            result => result.map(drop).map_err(Error::failed("delete", key)),
        }
    }

    async fn exists(&self, key: &BlobKey) -> Result<bool> {
        let sent = self.client.head_object().bucket(&*self.bucket).key(key.as_str()).send();
        match self.request("exists", key.as_str(), sent).await? {
            Err(error) if status(&error) == Some(404) => Ok(false),
            result => result.map(|_| true).map_err(Error::failed("exists", key)),
        }
    }

    async fn health(&self) -> Result<()> {
        let sent = self.client.head_bucket().bucket(&*self.bucket).send();
        self.request("health", &self.bucket, sent).await?.map(drop).map_err(Error::failed("health", &self.bucket))
    }

    async fn sweep(&self, begun_before: SystemTime) -> Result<u64> {
        let (mut swept, mut key_marker, mut upload_marker) = (0, None, None);
        loop {
            let list = self.client.list_multipart_uploads().bucket(&*self.bucket);
            let sent = list.set_key_marker(key_marker).set_upload_id_marker(upload_marker).send();
            let page = self.request("sweep", &self.bucket, sent).await?;
            let page = page.map_err(Error::failed("sweep", &self.bucket))?;
            for upload in page.uploads() {
                let begun = upload.initiated().and_then(|time| SystemTime::try_from(*time).ok());
                let (Some(key), Some(id), true) = (upload.key(), upload.upload_id(), begun < Some(begun_before)) else {
                    continue;
                };
                // What others keep in the bucket, such as the operator's mark below `.aurora-locus/`, is theirs.
                if key.parse::<BlobKey>().is_err() {
                    continue;
                }
                let abort = self.client.abort_multipart_upload().bucket(&*self.bucket).key(key).upload_id(id).send();
                match self.request("sweep", key, abort).await? {
                    // Another replica was faster.
                    Err(error) if status(&error) == Some(404) => {}
                    result => {
                        result.map_err(Error::failed("sweep", key))?;
                        swept += 1;
                    }
                }
            }
            if !page.is_truncated().unwrap_or_default() || page.next_key_marker().is_none() {
                return Ok(swept);
            }
            key_marker = page.next_key_marker;
            upload_marker = page.next_upload_id_marker;
        }
    }
}

/// An HTTP client that trusts these certificates beside the system's.
fn trusting(pem: String) -> SharedHttpClient {
    let trust = TrustStore::default().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(trust).build().expect("a trust store is a whole context");
    let provider = Provider::Rustls(CryptoMode::AwsLc);
    aws_smithy_http_client::Builder::new().tls_provider(provider).tls_context(context).build_https()
}

fn with_checksum(config: config::Builder, checksum: Checksum) -> config::Builder {
    let (calculation, validation) = match checksum {
        Checksum::WhenSupported => {
            (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported)
        }
        Checksum::WhenRequired => (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired),
    };
    config.request_checksum_calculation(calculation).response_checksum_validation(validation)
}

/// The HTTP status of the server's refusal, if it is one.
fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// `bytes=5-9` for `5..10`. Servers read the numbers as i64 and ignore a range that does not fit, so an end beyond
/// that is left open.
fn range_header(range: &Range<u64>) -> String {
    match i64::try_from(range.end) {
        Ok(end) => format!("bytes={}-{}", range.start, end - 1),
        Err(_) => format!("bytes={}-", range.start),
    }
}

/// The size behind the slash of `bytes 5-9/100`.
fn total(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

fn nonsense(operation: &'static str, key: &BlobKey) -> Error {
    Error::failed(operation, key)("the server did not say how large the object is")
}

fn pieces(body: ByteStream, key: BlobKey) -> BoxStream<'static, Result<Bytes>> {
    let next = |(mut body, key): (ByteStream, BlobKey)| async move {
        match body.try_next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, (body, key)))),
            Err(error) => Err(Error::failed("get", key)(error)),
        }
    };
    stream::try_unfold((body, key), next).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_inclusive_on_the_wire() {
        assert_eq!(range_header(&(5..10)), "bytes=5-9");
        assert_eq!(range_header(&(5..u64::MAX)), "bytes=5-");
    }

    #[test]
    fn the_total_stands_behind_the_slash() {
        assert_eq!(total("bytes 5-9/100"), Some(100));
        assert_eq!(total("bytes 5-9/*"), None);
        assert_eq!(total("100"), None);
    }
}
