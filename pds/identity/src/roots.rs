//! Trusted certificate authorities.

/// The authorities of the system and possibly additional ones. `default()` has no additional ones.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<reqwest::Certificate>);

impl Roots {
    /// The authorities of the system and the certificates in `pem`.
    ///
    /// # Errors
    /// If one of the certificates cannot be used as a certificate authority in TLS.
    pub fn with_pem(pem: &str) -> Result<Self, reqwest::Error> {
        let roots = Self(reqwest::Certificate::from_pem_bundle(pem.as_bytes())?);
        // Building a client parses the certificates.
        roots.trusted_by(reqwest::Client::builder()).build()?;
        Ok(roots)
    }

    /// Makes a client trust these authorities.
    pub fn trusted_by(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        match self.0.is_empty() {
            true => builder,
            false => builder.tls_certs_merge(self.0.iter().cloned()),
        }
    }
}
