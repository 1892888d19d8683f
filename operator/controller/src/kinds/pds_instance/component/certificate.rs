//! The certificate with which the PDS serves HTTPS itself.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use operator_api::{ConditionType, Reason};
use operator_runtime::secret::Content;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::super::verdict::Verdict;
use super::part::{Component, Part, Scene};

/// By how much the clocks of issuer and operator may differ, in seconds.
const CLOCKS_DIFFER: i64 = 300;

/// Checks the certificate of `spec.tls` and sets `CertificateReady`. Makes no object; without `spec.tls` the condition is absent.
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
            Ok((begin, expiry)) => {
                let text = |at| Timestamp::from_second(at).map(|time| time.to_string()).unwrap_or_default();
                let (from, until, now) = (text(begin), text(expiry), scene.now().as_second());
                let invalid = |why: String| {
                    let message = format!("spec.tls.secretName: the certificate in Secret {secret} {why}; replace it");
                    let verdict = Verdict::bad(Reason::CertificateInvalid, message);
                    // Clients refuse it, and pods start with it: an instance that runs can be edited.
                    if scene.child::<Deployment>(&scene.wanted.instance).is_some() {
                        verdict.bearable()
                    } else {
                        verdict
                    }
                };
                let verdict = if expiry <= now {
                    invalid(format!("ended at {until}"))
                } else if begin > now + CLOCKS_DIFFER {
                    invalid(format!("is valid from {from} on"))
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

/// When the certificate of a Secret begins and ends to be valid, in seconds since 1970.
fn look(content: &Content) -> Result<(i64, i64), String> {
    let pem = |key: &str| content.values.get(key).map(Vec::as_slice).unwrap_or_default();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem("tls.crt")).collect();
    let chain = chain.map_err(|_| "holds no certificate in PEM under tls.crt")?;
    let leaf = chain.first().ok_or("holds no certificate in PEM under tls.crt")?.clone();
    let key = PrivateKeyDer::from_pem_slice(pem("tls.key")).map_err(|_| "holds no private key in PEM under tls.key")?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|_| "holds a certificate and a key that do not match")?;
    let (_, certificate) = X509Certificate::from_der(&leaf).map_err(|_| "holds a certificate that cannot be read")?;
    let validity = certificate.validity();
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp()))
}
