//! Short hashes for names and comparisons.

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The first `length` hex digits of the SHA-256 of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8], length: usize) -> String {
    let mut text = HEXLOWER.encode(&Sha256::digest(bytes));
    text.truncate(length);
    text
}

/// The hash of a value's JSON.
///
/// # Panics
/// Never for the types of this crate: their keys are strings.
#[must_use]
pub fn of(value: &impl Serialize, length: usize) -> String {
    let json = serde_json::to_vec(value).expect("the types of this crate have string keys");
    hex(&json, length)
}
