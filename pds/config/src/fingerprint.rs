//! Identifies the keys that data depends on without revealing them.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha256};

use crate::kms_key_id::KmsKeyId;
use crate::table::var;

/// Domain separation: no other hash of the same keys has this prefix. Change the number if the way of hashing changes.
const DOMAIN: &[u8] = b"aurora-locus data keys 1\0";
/// The same where the first key is in AWS KMS.
const KMS_DOMAIN: &[u8] = b"aurora-locus data keys in KMS 1\0";

/// Identifies a pair of PLC rotation key and key encryption key. Safe to show: the keys cannot be derived from it.
///
/// Its text form has 32 lower-case hex digits. A database stores the fingerprint of the keys that its data depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

/// One of the keys is not 32 bytes in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is not 64 hex digits")]
pub struct InvalidKey {
    pub variable: &'static str,
}

/// The text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 lower-case hex digits")]
pub struct InvalidFingerprint;

/// Computes the fingerprint of the two keys that data depends on, each given as 64 hex digits (`PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX`
/// and `PDS_KEY_ENCRYPTION_KEY`). Ignores case and white space.
///
/// # Errors
/// [`InvalidKey`] names the variable of the first key that is not 32 bytes in hexadecimal. It does not contain the key.
pub fn fingerprint(plc_rotation_key: &str, key_encryption_key: &str) -> Result<Fingerprint, InvalidKey> {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(key_bytes(plc_rotation_key).ok_or(InvalidKey { variable: var::PLC_ROTATION_KEY })?);
    hash.update(key_bytes(key_encryption_key).ok_or(InvalidKey { variable: var::KEY_ENCRYPTION_KEY })?);
    Ok(Fingerprint::of(hash))
}

/// As [`fingerprint()`], for a rotation key in AWS KMS. Its name counts without region and account. An alias and the ID of the same key give two
/// fingerprints.
///
/// # Errors
/// As [`fingerprint()`].
pub fn fingerprint_with_kms(plc_rotation_key: &KmsKeyId, key_encryption_key: &str) -> Result<Fingerprint, InvalidKey> {
    let mut hash = Sha256::new();
    hash.update(KMS_DOMAIN);
    hash.update(key_bytes(key_encryption_key).ok_or(InvalidKey { variable: var::KEY_ENCRYPTION_KEY })?);
    hash.update(plc_rotation_key.resource());
    Ok(Fingerprint::of(hash))
}

impl Fingerprint {
    fn of(hash: Sha256) -> Self {
        let digest: [u8; 32] = hash.finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }
}

fn key_bytes(hex: &str) -> Option<[u8; 32]> {
    let digits: String = hex.split_ascii_whitespace().collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?.try_into().ok()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| InvalidFingerprint)?;
        bytes.try_into().map(Self).map_err(|_| InvalidFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Databases and operators store this text, so it must never change.
    #[test]
    fn the_fingerprint_of_two_known_keys_stays_the_same() {
        let text = fingerprint(&"11".repeat(32), &"22".repeat(32)).unwrap().to_string();
        assert_eq!(text, "27878d4748e1ad6173dc16141c7f0d84");
        assert_eq!(text.parse(), fingerprint(&"11".repeat(32), &"22".repeat(32)).map_err(|_| InvalidFingerprint));
        assert_eq!("ABC".parse::<Fingerprint>(), Err(InvalidFingerprint));
    }

    #[test]
    fn case_and_white_space_make_no_difference_and_each_key_and_their_order_do() {
        let (rotation, seal) = ("ab".repeat(32), "cd".repeat(32));
        let of = |rotation: &str, seal: &str| fingerprint(rotation, seal).unwrap();
        let shown = of(&rotation, &seal);
        assert_eq!(of(&format!(" {}\n", rotation.to_uppercase()), &format!("{} {}", &seal[..32], &seal[32..])), shown);
        for other in [of(&seal, &rotation), of(&rotation, &rotation), of(&"ac".repeat(32), &seal)] {
            assert_ne!(other, shown);
        }
    }

    #[test]
    fn the_fingerprint_with_a_key_in_kms_stays_the_same_and_counts_the_name_of_the_key() {
        let seal = "22".repeat(32);
        let of = |id: &str| fingerprint_with_kms(&id.parse().unwrap(), &seal).unwrap();
        let alias = of("alias/pds");
        assert_eq!(alias, of("arn:aws:kms:eu-central-1:123456789012:alias/pds"));
        assert_ne!(alias, of("alias/other"));
        assert_ne!(alias, fingerprint_with_kms(&"alias/pds".parse().unwrap(), &"23".repeat(32)).unwrap());
        assert_eq!(alias.to_string(), "089a42001885a93520f4d9c584243657");
    }

    #[test]
    fn the_error_names_the_variable_of_an_invalid_key() {
        let good = "ab".repeat(32);
        assert_eq!(fingerprint("ab", &good), Err(InvalidKey { variable: var::PLC_ROTATION_KEY }));
        let error = fingerprint(&good, "hunter2").unwrap_err();
        assert_eq!(error.to_string(), "PDS_KEY_ENCRYPTION_KEY is not 64 hex digits");
    }
}
