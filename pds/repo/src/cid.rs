//! Content identifiers in the form that the protocol uses: CIDv1, SHA-256, dag-cbor or raw.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The format of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Codec {
    /// Bytes: a blob.
    Raw = 0x55,
    /// A record, tree node or commit.
    DagCbor = 0x71,
}

/// A CID of the form that the protocol uses. Takes 33 bytes in memory. Source: <https://atproto.com/specs/data-model#link-and-cid-formats>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: [u8; 32],
}

/// The text or bytes are not a CID of the form that the protocol uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a CID of the form that the protocol uses: CIDv1, dag-cbor or raw, SHA-256, base32")]
pub struct InvalidCid;

impl Cid {
    /// Length of the binary form in bytes.
    pub const LEN: usize = 36;

    /// The CID of a DAG-CBOR block. Hashes it.
    pub fn dag_cbor(bytes: &[u8]) -> Self {
        Self::from_digest(Codec::DagCbor, Sha256::digest(bytes).into())
    }

    /// The CID of a blob. Hashes it.
    pub fn raw(bytes: &[u8]) -> Self {
        Self::from_digest(Codec::Raw, Sha256::digest(bytes).into())
    }

    /// The CID of content with this SHA-256.
    pub const fn from_digest(codec: Codec, digest: [u8; 32]) -> Self {
        Self { codec, digest }
    }

    /// The SHA-256 of the content.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The format of the content.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The binary form: version, codec, hash function, hash length, hash.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&[1, self.codec as u8, 0x12, 0x20]);
        out[4..].copy_from_slice(&self.digest);
        out
    }

    /// Parses the binary form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidCid> {
        match bytes.split_first_chunk::<4>() {
            Some(([1, codec, 0x12, 0x20], digest)) => {
                let codec = match codec {
                    0x55 => Codec::Raw,
                    0x71 => Codec::DagCbor,
                    _ => return Err(InvalidCid),
                };
                Ok(Self { codec, digest: digest.try_into().map_err(|_| InvalidCid)? })
            }
            _ => Err(InvalidCid),
        }
    }

    /// Whether this is the CID of `bytes`. Hashes them.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Sha256::digest(bytes)[..] == self.digest
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 58];
        BASE32_NOPAD.encode_mut(&self.to_bytes(), &mut text);
        text.make_ascii_lowercase();
        f.write_str("b")?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cid {
    type Err = InvalidCid;
    fn from_str(text: &str) -> Result<Self, InvalidCid> {
        let body = text.strip_prefix('b').ok_or(InvalidCid)?;
        if body.len() != 58 || body.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidCid);
        }
        Self::from_bytes(&BASE32_NOPAD.decode(body.to_ascii_uppercase().as_bytes()).map_err(|_| InvalidCid)?)
    }
}

impl From<Cid> for ::cid::Cid {
    fn from(cid: Cid) -> Self {
        let hash = multihash::Multihash::wrap(0x12, &cid.digest).expect("32 bytes fit into 64");
        Self::new_v1(u64::from(cid.codec as u8), hash)
    }
}

impl TryFrom<&::cid::Cid> for Cid {
    type Error = InvalidCid;
    fn try_from(cid: &::cid::Cid) -> Result<Self, InvalidCid> {
        Self::from_bytes(&cid.to_bytes())
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
