//! Certificates that are trusted beside the system's.

use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of `PDS_CA_FILE`, at least one. Whether each is a certificate that a TLS library takes is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle(String);

impl CaBundle {
    /// Reads a PEM file, which must have the given SHA-256 if there is one. What is neither a certificate nor in between, such as a private
    /// key, is left out.
    pub(crate) fn read(path: &Path, sha256: Option<&str>) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
        let found = HEXLOWER.encode(&Sha256::digest(&text));
        if let Some(wanted) = sha256.filter(|wanted| *wanted != found) {
            return Err(format!("has the SHA-256 {found}, and PDS_CA_SHA256 is {wanted}"));
        }
        Self::parse(&text).map_err(str::to_owned)
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pem = String::new();
        for block in text.split(BEGIN).skip(1) {
            let (body, _) = block.split_once(END).ok_or("has a certificate without an end")?;
            let digits: String = body.split_ascii_whitespace().collect();
            BASE64.decode(digits.as_bytes()).map_err(|_| "has a certificate that is not base64")?;
            pem += &format!("{BEGIN}\n{}\n{END}\n", body.trim());
        }
        if pem.is_empty() { Err("has no certificate in PEM form") } else { Ok(Self(pem)) }
    }

    /// The certificates in PEM form, one behind the other.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_taken_and_nothing_else_is() {
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
