//! The S3 service and clients for it.

use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient,
};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::Error;
use crate::limits::{CONNECT_SECONDS, OPERATION_SECONDS};

/// An S3 service.
#[derive(Clone, Debug)]
pub struct Service {
    /// URL of the service; `None` is AWS's own.
    pub endpoint: Option<String>,
    /// Region for signatures and new buckets.
    pub region: String,
    /// The bucket stands in the path of a URL, not in its host name.
    pub path_style: bool,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_bundle: Option<String>,
}

/// Keys of an S3 user.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretString,
}

impl Credential {
    pub(crate) fn provider(&self) -> SharedCredentialsProvider {
        let secret = self.secret_access_key.expose_secret();
        SharedCredentialsProvider::new(Credentials::new(&self.access_key_id, secret, None, None, "object-store"))
    }
}

impl Service {
    /// Name of the service in messages: its endpoint, or `AWS in REGION`.
    pub(crate) fn place(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("AWS in {}", self.region))
    }

    /// A client of S3; asks nothing yet.
    pub(crate) fn client(&self, keys: SharedCredentialsProvider) -> Result<aws_sdk_s3::Client, Error> {
        let mut config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http_client()?)
            .credentials_provider(keys)
            .region(Region::new(self.region.clone()))
            .force_path_style(self.path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .timeout_config(timeouts());
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(aws_sdk_s3::Client::from_conf(config.build()))
    }

    /// Whether the service is reached without TLS, so that no client has to read the system's certificates. That takes longer than a request, and
    /// clients are made for each use.
    pub(crate) fn is_plain(&self) -> bool {
        let url = self.endpoint.as_deref().and_then(|endpoint| Url::parse(endpoint).ok());
        url.is_some_and(|url| url.scheme() == "http")
    }

    /// Trusts the system's certificates and the bundle's. Follows no redirect.
    pub(crate) fn http_client(&self) -> Result<SharedHttpClient, Error> {
        let mut trust = if self.is_plain() { TrustStore::empty() } else { TrustStore::default() };
        if let Some(bundle) = &self.ca_bundle {
            self.certificates()?;
            trust = trust.with_pem_certificate(bundle.as_bytes());
        }
        let context = TlsContext::builder().with_trust_store(trust).build();
        let context = context.map_err(|error| self.wrong_bundle(&error))?;
        let builder = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        Ok(builder.tls_context(context).build_https())
    }

    /// The certificates of the bundle.
    pub(crate) fn certificates(&self) -> Result<Vec<reqwest::Certificate>, Error> {
        let Some(bundle) = &self.ca_bundle else { return Ok(Vec::new()) };
        // Both HTTP clients find a wrong one too late, and one of them panics then.
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            let certificate = certificate.map_err(|error| self.wrong_bundle(&error))?;
            roots.add(certificate).map_err(|error| self.wrong_bundle(&error))?;
        }
        if roots.is_empty() {
            return Err(self.wrong_bundle(&"it holds no certificate"));
        }
        reqwest::Certificate::from_pem_bundle(bundle.as_bytes()).map_err(|error| self.wrong_bundle(&error))
    }

    fn wrong_bundle(&self, why: &dyn std::fmt::Display) -> Error {
        let why = crate::limits::one_line(&why.to_string());
        Error::Invalid(format!("the CA bundle of the object store at {} is not PEM certificates: {why}", self.place()))
    }
}

pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .operation_timeout(Duration::from_secs(OPERATION_SECONDS))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_in_one_sentence() {
        for bundle in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let service = Service {
                endpoint: Some("https://s3.test".into()),
                region: "us-east-1".into(),
                path_style: true,
                ca_bundle: Some(bundle.into()),
            };
            let text = service.http_client().unwrap_err().to_string();
            assert!(text.starts_with("the CA bundle of the object store at https://s3.test is not PEM"), "{text}");
        }
    }
}
