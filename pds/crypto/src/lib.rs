//! Keys, signatures and tokens of the AT Protocol.
//!
//! Owns the choice of curve implementations. Never reads a clock, a file or the network: time comes in as a parameter.

mod public_key;
pub mod seal;
pub mod service_token;
pub mod session_token;
mod signing_key;

pub use public_key::PublicKey;
pub use signing_key::SigningKey;

/// What can be wrong with a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a secret key of the curve.
    #[error("not a valid secp256k1 secret key: 32 bytes, as 64 hexadecimal digits, between 1 and the group's order")]
    SecretKey,
    /// Not a public key in a form that the protocol knows.
    #[error("not a valid public key: {0}")]
    PublicKey(&'static str),
    /// The signature is not 64 bytes, not low-S, or not made by this key over this message.
    #[error("the signature does not verify")]
    Signature,
    /// The sealed text was cut, changed, or sealed under another key or for another purpose.
    #[error("the sealed value does not open: wrong key or damaged")]
    Sealed,
}
