//! The client of KMS: region, credentials, certificates and time limits.

use std::time::Duration;

use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_sdk_kms::{
    Client,
    config::{Region, SharedHttpClient},
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

use crate::Error;

const CONNECT: Duration = Duration::from_secs(3);
/// Maximum time of one request, and of all attempts together.
const ATTEMPT: Duration = Duration::from_secs(5);
const OPERATION: Duration = Duration::from_secs(12);
/// Maximum time of an operation with the search for credentials before it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which key, and what is needed to ask for it. Credentials, and the region if it is not given, come from the environment as for every program with an
/// AWS SDK: variables, web identity, profile, or the machine's role.
#[derive(Clone, Debug)]
pub struct Options {
    /// Key ID, alias with `alias/`, or the ARN of either.
    pub key: String,
    /// The region of an ARN.
    pub region: Option<String>,
    /// Certificates, as PEM, that are trusted in addition to the system's.
    pub ca_bundle: Option<String>,
}

/// A client as the options say.
pub(crate) async fn client(options: &Options) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT);
    let mut environment =
        aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts.operation_timeout(OPERATION).build());
    if let Some(region) = &options.region {
        environment = environment.region(Region::new(region.clone()));
    }
    if let Some(pem) = &options.ca_bundle {
        environment = environment.http_client(trusting(pem));
    }
    Client::new(&environment.load().await)
}

/// Waits for an operation, however long the search for credentials takes.
///
/// # Errors
/// [`Error::TimedOut`], or the operation's own error.
pub(crate) async fn within<T>(
    operation: &'static str,
    key: &str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::TimedOut { operation, key: key.to_owned(), seconds: PATIENCE.as_secs() };
    tokio::time::timeout(PATIENCE, answer).await.map_err(late)?
}

/// An HTTP client that trusts these certificates in addition to the system's.
fn trusting(pem: &str) -> SharedHttpClient {
    let trust = TrustStore::default().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(trust).build().expect("a trust store is a complete context");
    let provider = Provider::Rustls(CryptoMode::AwsLc);
    aws_smithy_http_client::Builder::new().tls_provider(provider).tls_context(context).build_https()
}
