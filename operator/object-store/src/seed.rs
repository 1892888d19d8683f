//! The operator's secret, from which secrets of users are derived.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;

/// 32 random bytes that only the operator knows. Without them the secrets of all users change.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret access key of a user of a bucket: 64 hexadecimal digits. With the fingerprint of the instance's keys, a later instance of
    /// the same name has another secret. Users of before have one without it.
    pub(crate) fn secret_access_key(&self, user: &str, bucket: &str, fingerprint: Option<&str>) -> SecretString {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length");
        let parts = match fingerprint {
            None => vec!["s3 secret v1", user, bucket],
            Some(fingerprint) => vec!["s3 secret v2", user, bucket, fingerprint],
        };
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                mac.update(b"\0");
            }
            mac.update(part.as_bytes());
        }
        SecretString::from(HEXLOWER.encode(&mac.finalize().into_bytes()))
    }
}

impl TryFrom<&[u8]> for Seed {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        let length = bytes.len();
        let wrong = |_| Error::Invalid(format!("the operator's seed has {length} bytes and must have 32"));
        Ok(Self::new(bytes.try_into().map_err(wrong)?))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_depends_on_all_it_is_made_of() {
        let secret = |seed: u8, user: &str, bucket: &str| {
            Seed::new([seed; 32]).secret_access_key(user, bucket, None).expose_secret().to_owned()
        };
        let first = secret(1, "ab", "c");
        assert_eq!(first.len(), 64);
        assert_eq!(first, secret(1, "ab", "c"));
        for other in [secret(2, "ab", "c"), secret(1, "a", "bc"), secret(1, "ab", "d")] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn the_seed_is_not_printed_and_has_32_bytes() {
        assert_eq!(format!("{:?}", Seed::new([77; 32])), "Seed(..)");
        let error = Seed::try_from(&[1_u8; 31][..]).unwrap_err().to_string();
        assert_eq!(error, "the operator's seed has 31 bytes and must have 32");
    }
}
