//! The connection to one bucket: the clients, the time limits and the memory that all uploads share.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::meta::region::ProvideRegion as _;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{self, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use secrecy::ExposeSecret;
use tokio::time::{error::Elapsed, timeout};
use tracing::{Instrument, field::Empty};

use super::budget::Budget;
use super::buffer::{PART_BYTES, Pool};
use super::options::{Checksum, Options};
use crate::{BlobKey, Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A bucket and the clients that reach it. Clones share connections and the memory budget of uploads.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    /// Signs links. Clients may reach the server under another name, and a link must not ask them for checksums.
    pub(super) links: Client,
    pub(super) name: Arc<str>,
    pub(super) budget: Budget,
    pub(super) pool: Pool,
    /// The checksum of each part. A multipart upload names it when it is created.
    pub(super) checksum: Option<ChecksumAlgorithm>,
    upload_timeout: Duration,
    request_timeout: Duration,
}

impl Bucket {
    /// See [`super::S3::connect`].
    pub(super) async fn connect(options: Options) -> Self {
        let http = options.ca_bundle.as_ref().map(|pem| trusting(pem));
        let mut config = with_credentials(&options, http.as_ref()).await;
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
            name: options.bucket.into(),
            budget: Budget::new(options.upload_memory_bytes.max(2 * PART_BYTES)),
            pool: Pool::default(),
            checksum: (options.checksum == Checksum::WhenSupported).then_some(ChecksumAlgorithm::Crc32),
            upload_timeout: options.upload_timeout,
            request_timeout: options.request_timeout,
        }
    }

    /// Waits for the response to a request that sends no object or part, at most for the request timeout.
    pub(super) async fn request<T, E>(
        &self,
        operation: &'static str,
        subject: &str,
        sent: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<Result<T, SdkError<E>>> {
        let timed_out = |_| Error::TimedOut { operation, subject: subject.to_owned() };
        within(self.request_timeout, operation, sent).await.map_err(timed_out)
    }

    /// Waits for the response to a request that sends an object or a part, at most for the upload timeout.
    pub(super) async fn upload<T, E>(
        &self,
        key: &BlobKey,
        sent: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<Result<T, SdkError<E>>> {
        let timed_out = |_| Error::TimedOut { operation: "write", subject: key.to_string() };
        within(self.upload_timeout, "write", sent).await.map_err(timed_out)
    }

    /// Deletes an object. Succeeds if there is none.
    pub(super) async fn delete(&self, key: &BlobKey) -> Result<()> {
        let sent = self.client.delete_object().bucket(&*self.name).key(key.as_str()).send();
        match self.request("delete", key.as_str(), sent).await? {
            Err(error) if status(&error) == Some(404) && error.code() != Some("NoSuchBucket") => Ok(()),
            result => result.map(drop).map_err(Error::failed("delete", key)),
        }
    }
}

/// Waits for a response. It is a span while requests are traced.
async fn within<T, E>(
    limit: Duration,
    operation: &'static str,
    sent: impl Future<Output = Result<T, SdkError<E>>>,
) -> Result<Result<T, SdkError<E>>, Elapsed> {
    let span = tracing::trace_span!(
        target: "pds::trace", // as in `pds_store::SPANS`
        "s3", otel.name = format!("s3 {operation}"), otel.kind = "client", otel.status_code = Empty, rpc.method = operation
    );
    let response = timeout(limit, sent).instrument(span.clone()).await;
    let failed = match &response {
        Ok(Err(error)) => status(error).is_none_or(|status| status >= 500),
        response => response.is_err(),
    };
    if failed {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// The HTTP status of the server's response to a failed request. `None` if there was no response.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// A configuration with region and credentials, from the options or else from the AWS environment.
async fn with_credentials(options: &Options, http: Option<&SharedHttpClient>) -> config::Builder {
    let region = options.region.clone().or(options.endpoint.is_some().then(|| "us-east-1".into())).map(Region::new);
    match &options.credentials {
        Some(keys) => {
            let id = keys.access_key_id.expose_secret();
            let secret = keys.secret_access_key.expose_secret();
            let keys = config::Credentials::new(id, secret, None, None, "settings");
            // The environment may still know the region.
            let region = match region {
                None => aws_config::default_provider::region::default_provider().region().await,
                region => region,
            };
            config::Builder::new().behavior_version(BehaviorVersion::latest()).credentials_provider(keys).region(region)
        }
        None => {
            let mut environment = aws_config::defaults(BehaviorVersion::latest());
            if let Some(region) = region {
                environment = environment.region(region);
            }
            // The service that gives the credentials may have a certificate of the same authority.
            if let Some(http) = http {
                environment = environment.http_client(http.clone());
            }
            config::Builder::from(&environment.load().await)
        }
    }
}

/// An HTTP client that trusts these certificates in addition to the system's.
fn trusting(pem: &str) -> SharedHttpClient {
    let trust = TrustStore::default().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(trust).build().expect("a trust store is a complete context");
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
