//! The certificate with which the PDS serves HTTPS itself.

use jiff::Timestamp;
use operator_api::{ConditionType, Reason};
use operator_runtime::secret::Content;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::super::verdict::Verdict;
use super::part::{Component, Part, Scene};

/// The certificate.
pub struct Certificate;

impl Component for Certificate {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn condition(&self) -> ConditionType {
        ConditionType::CertificateReady
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        let Some(secret) = &scene.wanted.tls else { return Part::absent() };
        if let Some(problem) = scene.observed.references.problem("tls.secretName") {
            return Part::new(problem);
        }
        let Some(content) = &scene.observed.references.tls else { return Part::absent() };
        match look(content) {
            Err(why) => {
                let message =
                    format!("spec.tls.secretName: Secret {secret} {why}; pods keep the certificate that they have");
                Part::new(Verdict::bad(Reason::CertificateInvalid, message))
            }
            Ok(expiry) => {
                let until = Timestamp::from_second(expiry).map(|time| time.to_string()).unwrap_or_default();
                let verdict = if expiry <= scene.now().as_second() {
                    let message =
                        format!("spec.tls.secretName: the certificate in Secret {secret} ended at {until}; replace it");
                    Verdict::bad(Reason::CertificateInvalid, message)
                } else {
                    Verdict::good(format!("Secret {secret}, valid until {until}"))
                };
                let mut part = Part::new(verdict);
                part.facts.certificate_expiry = Some(expiry);
                part
            }
        }
    }
}

/// When the certificate of a Secret ends, in seconds since 1970.
fn look(content: &Content) -> Result<i64, String> {
    let pem = |key: &str| content.values.get(key).map(Vec::as_slice).unwrap_or_default();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem("tls.crt")).collect();
    let chain = chain.map_err(|_| "holds no certificate in PEM under tls.crt")?;
    let leaf = chain.first().ok_or("holds no certificate in PEM under tls.crt")?.clone();
    let key = PrivateKeyDer::from_pem_slice(pem("tls.key")).map_err(|_| "holds no private key in PEM under tls.key")?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|_| "holds a certificate and a key that do not match")?;
    let (_, certificate) = X509Certificate::from_der(&leaf).map_err(|_| "holds a certificate that cannot be read")?;
    Ok(certificate.validity().not_after.timestamp())
}
