//! secp256k1 secret keys.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use k256::{
    ecdsa::{Signature, signature::Signer},
    elliptic_curve::Generate,
};
use zeroize::Zeroizing;

use crate::{Error, PublicKey};

/// A secp256k1 secret key. Kept parsed, because parsing takes as long as signing. Wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey(k256::ecdsa::SigningKey);

impl SigningKey {
    /// Generates a random key.
    pub fn generate() -> Self {
        Self(k256::ecdsa::SigningKey::generate())
    }

    /// Reads a key of 32 big-endian bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        k256::ecdsa::SigningKey::from_slice(bytes).map(Self).map_err(|_| Error::SecretKey)
    }

    /// Reads a key of 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map_err(|_| Error::SecretKey)?);
        Self::from_bytes(&bytes)
    }

    /// The key as 32 big-endian bytes, wiped from memory when dropped.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// Signs the SHA-256 of `message` with ECDSA. Returns `r || s`, low-S, deterministic (RFC 6979).
    /// Source: <https://atproto.com/specs/cryptography>.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.normalize_s().to_bytes().into()
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_k256(*self.0.verifying_key())
    }

    /// The public key as `did:key:z...`.
    pub fn did_key(&self) -> String {
        self.public().did_key()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.did_key())
    }
}
