//! Records between their JSON and their DAG-CBOR form. Source: <https://atproto.com/specs/data-model>.

mod blob_ref;
mod check;
mod codec;
mod error;
mod json;
mod limit;
mod text;

use bytes::Bytes;
use ipld_core::ipld::Ipld;
use serde_json::Value;

pub use blob_ref::{BlobRef, UNKNOWN_SIZE};
pub use error::Error;
pub use limit::{MAX_BYTES, MAX_DEPTH};

use crate::Cid;

/// A record ready to be written.
#[derive(Clone, Debug)]
pub struct Record {
    /// Of `bytes`.
    pub cid: Cid,
    /// Canonical DAG-CBOR.
    pub bytes: Bytes,
    /// Every blob it refers to, in order of appearance.
    pub blobs: Vec<BlobRef>,
}

/// From JSON with `$link` and `$bytes`.
pub fn from_json(json: &Value) -> Result<Record, Error> {
    let value = json::to_ipld(json)?;
    let blobs = check::blobs(&value)?;
    let bytes = encode(&value)?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    Ok(Record { cid: Cid::dag_cbor(&bytes), bytes: bytes.into(), blobs })
}

/// From a block somebody else made: strictly canonical, inside the data model.
pub fn from_bytes(bytes: Bytes) -> Result<Record, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let blobs = check::blobs(&codec::decode(&bytes)?)?;
    Ok(Record { cid: Cid::dag_cbor(&bytes), bytes, blobs })
}

/// From a block of a repository that comes from elsewhere: as [`from_bytes`], but what the data model has against the record is answered
/// beside it, as long as the record has a JSON form. Whatever is accepted, [`write_json`] can write.
pub fn from_foreign_bytes(bytes: Bytes) -> Result<(Record, Option<Error>), Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let (blobs, fault) = check::foreign(&codec::decode(&bytes)?)?;
    Ok((Record { cid: Cid::dag_cbor(&bytes), bytes, blobs }, fault))
}

/// Appends the JSON form of a stored record, which was canonical when it was written. After an error `out` ends in a part of it.
pub fn write_json(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    out.reserve(bytes.len() * 3 / 2);
    text::write(bytes, out)
}

/// The canonical block of a value. Floats and integers outside 64 bits are refused.
pub fn encode(value: &Ipld) -> Result<Vec<u8>, Error> {
    codec::encode(value)
}

/// A block's value. Non-canonical forms, floats and integers outside 64 bits are refused.
pub fn decode(bytes: &[u8]) -> Result<Ipld, Error> {
    let value = codec::decode(bytes)?;
    check::value(&value)?;
    Ok(value)
}
