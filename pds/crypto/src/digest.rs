//! Keyed digests of random secrets, by which they are found in the database.
//!
//! Only for secrets with enough random bits: a digest is fast, so that passwords that people choose could be guessed.

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use crate::Error;

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 32;

/// A key for digests with one purpose: HMAC-SHA256.
pub struct DigestKey(hmac::Key);

impl DigestKey {
    /// Derives the key for a purpose (HKDF-SHA256) from a key of 64 hexadecimal digits.
    pub fn derive(hex: &str, purpose: &str) -> Result<Self, Error> {
        let secret = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(hex.trim().as_bytes()).map_err(|_| Error::Sealed)?);
        let mut key = Zeroizing::new([0; DIGEST_BYTES]);
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&secret);
        let info = [purpose.as_bytes()];
        let output = derived.expand(&info, hkdf::HKDF_SHA256).map_err(|_| Error::Sealed)?;
        output.fill(&mut *key).map_err(|_| Error::Sealed)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*key)))
    }

    /// The digest of a secret that belongs to `owner`.
    pub fn digest(&self, owner: &str, secret: &str) -> [u8; DIGEST_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        // Neither contains this byte.
        for part in [owner.as_bytes(), &[0], secret.as_bytes()] {
            context.update(part);
        }
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_key_purpose_owner_and_secret() {
        let key = |hex: &str, purpose| DigestKey::derive(&hex.repeat(32), purpose).unwrap();
        let digest = key("0b", "tests").digest("did:plc:a", "secret");
        assert_eq!(key("0b", "tests").digest("did:plc:a", "secret"), digest);
        assert_ne!(key("0c", "tests").digest("did:plc:a", "secret"), digest);
        assert_ne!(key("0b", "others").digest("did:plc:a", "secret"), digest);
        assert_ne!(key("0b", "tests").digest("did:plc:b", "secret"), digest);
        assert_ne!(key("0b", "tests").digest("did:plc:a", "another"), digest);
        assert!(DigestKey::derive("no digits", "tests").is_err());
    }
}
