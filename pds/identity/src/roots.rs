//! Which authorities are trusted.

/// The system's authorities, and perhaps some more. `default()` is the system's alone.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<reqwest::Certificate>);

impl Roots {
    /// The system's, and those of a text with certificates in PEM form.
    ///
    /// # Errors
    /// When one of them is not a certificate that can sign others' in TLS.
    pub fn with_pem(pem: &str) -> Result<Self, reqwest::Error> {
        let roots = Self(reqwest::Certificate::from_pem_bundle(pem.as_bytes())?);
        // Looks into the certificates, too.
        roots.trusted_by(reqwest::Client::builder()).build()?;
        Ok(roots)
    }

    /// Has a client trust them.
    pub fn trusted_by(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        match self.0.is_empty() {
            true => builder,
            false => builder.tls_certs_merge(self.0.iter().cloned()),
        }
    }
}
