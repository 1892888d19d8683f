//! Certificates that are trusted in addition to the system's.

use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of `PDS_CA_FILE`; at least one. The reader checks the PEM form only, not whether a TLS library accepts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle(String);

impl CaBundle {
    /// Reads a PEM file. If `sha256` is given, the file must have it. Everything other than certificates, such as a private key, is skipped.
    pub(crate) fn read(path: &Path, sha256: Option<&str>) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
        let found = HEXLOWER.encode(&Sha256::digest(&text));
        if let Some(wanted) = sha256.filter(|wanted| *wanted != found) {
            return Err(format!("has the SHA-256 {found}, but PDS_CA_SHA256 is {wanted}"));
        }
        Self::parse(&text).map_err(str::to_owned)
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pem = String::new();
        for block in text.split(BEGIN).skip(1) {
            let (body, _) = block.split_once(END).ok_or("has a certificate without an END line")?;
            let digits: String = body.split_ascii_whitespace().collect();
            BASE64.decode(digits.as_bytes()).map_err(|_| "has a certificate that is not base64")?;
            pem += &format!("{BEGIN}\n{}\n{END}\n", body.trim());
        }
        if pem.is_empty() { Err("has no certificate in PEM form") } else { Ok(Self(pem)) }
    }

    /// All certificates in PEM form.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_read() {
        let text = format!(
            "a name\n{BEGIN}\nAAAA\n{END}\n-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n{BEGIN}\nCCCC\nDDDD\n{END}"
        );
        let pem = format!("{BEGIN}\nAAAA\n{END}\n{BEGIN}\nCCCC\nDDDD\n{END}\n");
        assert_eq!(CaBundle::parse(&text).unwrap().pem(), pem);
        for text in ["", "\n", "certificate", &format!("{BEGIN}\nAAAA"), &format!("{BEGIN}\nA?\n{END}")] {
            assert!(CaBundle::parse(text).is_err(), "{text}");
        }
    }
}
