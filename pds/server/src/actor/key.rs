//! The signing keys of repositories, sealed as the database has them.

use pds_crypto::{Error, SigningKey, seal::SealKey};
use pds_syntax::Did;

/// The key of `did` as it is to be stored.
///
/// # Errors
/// When the key cannot be encrypted.
pub fn seal(seal: &SealKey, did: &Did, key: &SigningKey) -> Result<Vec<u8>, Error> {
    seal.seal(&*key.to_bytes(), &purpose(did))
}

/// The key of `did` from its stored form.
///
/// # Errors
/// When it was sealed with another key or for another account, or is damaged.
pub fn open(seal: &SealKey, did: &Did, sealed: &[u8]) -> Result<SigningKey, Error> {
    seal.open(sealed, &purpose(did)).and_then(|bytes| SigningKey::from_bytes(&bytes))
}

/// A key that no account has yet, as it is to be stored.
///
/// # Errors
/// When the key cannot be encrypted.
pub fn seal_reserved(seal: &SealKey, key: &SigningKey) -> Result<Vec<u8>, Error> {
    seal.seal(&*key.to_bytes(), &reserved_purpose(&key.did_key()))
}

/// A reserved key from its stored form; `public_key` is its did:key.
///
/// # Errors
/// When it was sealed with another key or is another key, or is damaged.
pub fn open_reserved(seal: &SealKey, public_key: &str, sealed: &[u8]) -> Result<SigningKey, Error> {
    seal.open(sealed, &reserved_purpose(public_key)).and_then(|bytes| SigningKey::from_bytes(&bytes))
}

fn reserved_purpose(public_key: &str) -> String {
    format!("reserved signing key {public_key}")
}

/// A sealed key opens for the purpose only that it was sealed for.
fn purpose(did: &Did) -> String {
    format!("repository signing key of {did}")
}
