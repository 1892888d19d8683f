//! Encryption of small secrets in the database: AES-256-GCM with a random nonce.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use crate::Error;

/// The key that encrypts the signing keys of accounts in the database.
pub struct SealKey(LessSafeKey);

impl SealKey {
    /// Reads a key of 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| Error::Sealed)?);
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| Error::Sealed)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `plain`. The result contains nonce, ciphertext and tag. [`SealKey::open`] needs the same `purpose`, which is not stored.
    pub fn seal(&self, plain: &[u8], purpose: &str) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        // With capacity for the tag: a reallocation would leave a copy of the secret in memory.
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        let (nonce_value, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()));
        self.0.seal_in_place_append_tag(nonce_value, aad, &mut body).map_err(|_| Error::Sealed)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Decrypts the result of [`SealKey::seal`] for the same `purpose`.
    pub fn open(&self, sealed: &[u8], purpose: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Error::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Sealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain =
            self.0.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut body).map_err(|_| Error::Sealed)?.len();
        body.truncate(plain);
        Ok(body)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_untouched_and_for_its_purpose() {
        let key = SealKey::from_hex(&"0b".repeat(32)).unwrap();
        let mut sealed = key.seal(b"secret", "repo key of did:plc:a").unwrap();
        assert_eq!(&*key.open(&sealed, "repo key of did:plc:a").unwrap(), b"secret");
        assert_eq!(key.open(&sealed, "repo key of did:plc:b"), Err(Error::Sealed));
        assert_eq!(key.open(&sealed[..5], "repo key of did:plc:a"), Err(Error::Sealed));
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        assert_eq!(key.open(&sealed, "repo key of did:plc:a"), Err(Error::Sealed));
    }
}
