//! Keys, signatures and tokens of the AT Protocol.
//!
//! Owns the choice of curve implementations. Never reads a clock, a file or the network: the time is a parameter.

pub mod der;
pub mod digest;
mod public_key;
pub mod seal;
pub mod service_token;
pub mod session_token;
mod signing_key;

pub use public_key::PublicKey;
pub use signing_key::SigningKey;

/// Why a key, signature or sealed value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not a valid secp256k1 secret key: 32 bytes, as 64 hexadecimal digits, between 1 and the group's order")]
    SecretKey,
    /// The public key is not in a form that the protocol uses.
    #[error("not a valid public key: {0}")]
    PublicKey(&'static str),
    /// The signature does not have 64 bytes, is not low-S, or was not made with this key for this message.
    #[error("the signature does not verify")]
    Signature,
    /// The sealed value was changed, or sealed with another key or for another purpose.
    #[error("cannot decrypt the sealed value: it was encrypted with another key, or it is damaged")]
    Sealed,
}
