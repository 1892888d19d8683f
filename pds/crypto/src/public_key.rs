//! Public keys of both curves and their text forms.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use k256::ecdsa::signature::Verifier;

use crate::Error;

/// Multicodec prefixes as unsigned varints. Source: <https://github.com/multiformats/multicodec>.
const K256_CODEC: [u8; 2] = [0xe7, 0x01];
const P256_CODEC: [u8; 2] = [0x80, 0x24];

/// A public key of one of the two curves of the protocol. Source: <https://atproto.com/specs/cryptography>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// secp256k1, `ES256K`.
    K256(k256::ecdsa::VerifyingKey),
    /// NIST P-256, `ES256`.
    P256(p256::ecdsa::VerifyingKey),
}

impl PublicKey {
    pub(crate) fn from_k256(key: k256::ecdsa::VerifyingKey) -> Self {
        Self::K256(key)
    }

    /// Parses `did:key:z...`.
    pub fn from_did_key(text: &str) -> Result<Self, Error> {
        Self::from_multikey(
            text.strip_prefix("did:key:").ok_or(Error::PublicKey("a did:key must begin with \"did:key:\""))?,
        )
    }

    /// Parses a `Multikey`: `z`, then base58btc of codec and compressed point.
    pub fn from_multikey(text: &str) -> Result<Self, Error> {
        match decode_multibase(text)?.split_at_checked(2) {
            // Each key has one text form. The libraries also read the compact form, which begins with 5, and whole points.
            Some((codec, point)) if (codec == K256_CODEC || codec == P256_CODEC) && !matches!(point, [2 | 3, ..]) => {
                Err(Error::PublicKey("the point must be compressed"))
            }
            Some((codec, point)) if codec == K256_CODEC => Self::k256(point),
            Some((codec, point)) if codec == P256_CODEC => Self::p256(point),
            _ => Err(Error::PublicKey("the curve must be secp256k1 or P-256")),
        }
    }

    /// Parses the key of a verification method of a DID document from its `type` and `publicKeyMultibase`. The type must be `Multikey`,
    /// `EcdsaSecp256k1VerificationKey2019` or `EcdsaSecp256r1VerificationKey2019`.
    pub fn from_verification_method(kind: &str, multibase: &str) -> Result<Self, Error> {
        match kind {
            "Multikey" => Self::from_multikey(multibase),
            "EcdsaSecp256k1VerificationKey2019" => Self::k256(&decode_multibase(multibase)?),
            "EcdsaSecp256r1VerificationKey2019" => Self::p256(&decode_multibase(multibase)?),
            _ => Err(Error::PublicKey("the type must be Multikey or Ecdsa...VerificationKey2019")),
        }
    }

    pub(crate) fn k256(point: &[u8]) -> Result<Self, Error> {
        let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(point);
        key.map(Self::K256).map_err(|_| Error::PublicKey("not a point of secp256k1"))
    }

    fn p256(point: &[u8]) -> Result<Self, Error> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point);
        key.map(Self::P256).map_err(|_| Error::PublicKey("not a point of P-256"))
    }

    /// The text form of a `Multikey`: `z...`.
    pub fn multikey(&self) -> String {
        let mut bytes = Vec::with_capacity(35);
        match self {
            Self::K256(key) => {
                bytes.extend(K256_CODEC);
                bytes.extend(key.to_sec1_point(true).as_bytes());
            }
            Self::P256(key) => {
                bytes.extend(P256_CODEC);
                bytes.extend(key.to_sec1_point(true).as_bytes());
            }
        }
        format!("z{}", bs58::encode(bytes).into_string())
    }

    /// The text form `did:key:z...`.
    pub fn did_key(&self) -> String {
        format!("did:key:{}", self.multikey())
    }

    /// The JWS algorithm of signatures with this key.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::K256(_) => "ES256K",
            Self::P256(_) => "ES256",
        }
    }

    /// Verifies a signature `r || s` of the SHA-256 of `message`. Refuses high-S and DER signatures.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let is_low = match self {
            Self::K256(_) => {
                k256::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| parsed == parsed.normalize_s())
            }
            Self::P256(_) => {
                p256::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| parsed == parsed.normalize_s())
            }
        };
        if is_low { self.verify_jws(message, signature) } else { Err(Error::Signature) }
    }

    /// As [`PublicKey::verify`], but takes high-S signatures too, as JSON Web Signatures may be. For what is not stored under its hash.
    pub fn verify_jws(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match self {
            Self::K256(key) => {
                let parsed = k256::ecdsa::Signature::from_slice(signature).map_err(|_| Error::Signature)?;
                key.verify(message, &parsed.normalize_s()).map_err(|_| Error::Signature)
            }
            Self::P256(key) => {
                let point = key.to_sec1_point(false);
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.as_bytes());
                key.verify(message, signature).map_err(|_| Error::Signature)
            }
        }
    }
}

fn decode_multibase(text: &str) -> Result<Vec<u8>, Error> {
    let body = text.strip_prefix('z').ok_or(Error::PublicKey("must be base58btc, beginning with \"z\""))?;
    bs58::decode(body).into_vec().map_err(|_| Error::PublicKey("not base58btc"))
}
