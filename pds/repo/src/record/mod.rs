//! Converts records between JSON and DAG-CBOR, and checks them. Source: <https://atproto.com/specs/data-model>.

mod alt;
mod blob_ref;
mod check;
mod codec;
mod error;
mod json;
mod limit;
mod shape;
mod text;

use bytes::Bytes;
use ipld_core::ipld::Ipld;
use serde_json::Value;

pub use alt::alternative_text;
pub use blob_ref::{BlobRef, UNKNOWN_SIZE};
pub use error::Error;
pub use limit::{MAX_BYTES, MAX_DEPTH};
pub use shape::{MAX_UNPACKED, Shape};

use crate::{Cid, cbor::Reader};

/// A checked record.
#[derive(Clone, Debug)]
pub struct Record {
    /// CID of `bytes`.
    pub cid: Cid,
    /// The record in canonical DAG-CBOR.
    pub bytes: Bytes,
    /// References to blobs, in order of appearance.
    pub blobs: Vec<BlobRef>,
}

/// Makes a record from JSON with `$link` and `$bytes`.
///
/// # Errors
/// If the value is not in the data model or larger than [`MAX_BYTES`].
pub fn from_json(json: &Value) -> Result<Record, Error> {
    let value = json::to_ipld(json)?;
    let blobs = check::blobs(&value)?;
    let bytes = encode(&value)?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    Ok(Record { cid: Cid::dag_cbor(&bytes), bytes: bytes.into(), blobs })
}

/// Makes a record from a block of another program.
///
/// # Errors
/// If the block is not canonical DAG-CBOR, not in the data model, larger than [`MAX_BYTES`], or takes more than [`MAX_UNPACKED`].
pub fn from_bytes(bytes: Bytes) -> Result<Record, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let blobs = check::blobs(&unpacked(&bytes)?)?;
    Ok(Record { cid: Cid::dag_cbor(&bytes), bytes, blobs })
}

/// Makes a record from a block of an imported repository. As [`from_bytes`], but accepts a record that violates the data model if it has a JSON
/// form, and returns the violation. [`write_json`] can write every accepted record.
///
/// # Errors
/// As [`from_bytes`], and if the record has no JSON form.
pub fn from_foreign_bytes(bytes: Bytes) -> Result<(Record, Option<Error>), Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let (blobs, fault) = check::foreign(&unpacked(&bytes)?)?;
    Ok((Record { cid: Cid::dag_cbor(&bytes), bytes, blobs }, fault))
}

/// Appends the JSON form of a stored record to `out`.
///
/// # Errors
/// If the bytes are damaged. Then `out` ends with a part of the JSON form.
pub fn write_json(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    out.reserve(bytes.len() * 3 / 2);
    text::write(bytes, out)
}

/// Encodes a value as canonical DAG-CBOR.
///
/// # Errors
/// If the value contains a floating-point number, or an integer that does not fit into 64 bits.
pub fn encode(value: &Ipld) -> Result<Vec<u8>, Error> {
    codec::encode(value)
}

/// Decodes a block.
///
/// # Errors
/// If the block is not canonical DAG-CBOR, its value is not in the data model, or it takes more than [`MAX_UNPACKED`].
pub fn decode(bytes: &[u8]) -> Result<Ipld, Error> {
    let value = unpacked(bytes)?;
    check::value(&value)?;
    Ok(value)
}

/// The text in a stored record under these keys, one in the other. Makes no other value. `None` if there is no such text, or the bytes before it are
/// damaged.
#[must_use]
pub fn text_at<'a>(bytes: &'a [u8], path: &[&str]) -> Option<&'a str> {
    let Some((key, rest)) = path.split_first() else { return Reader::new(bytes).text().ok() };
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.map().ok()? {
        let is_it = reader.text().ok()? == *key;
        let item = reader.raw().ok()?;
        if is_it {
            return text_at(item, rest);
        }
    }
    None
}

/// The value in `bytes`, made only if it takes no more than [`MAX_UNPACKED`].
fn unpacked(bytes: &[u8]) -> Result<Ipld, Error> {
    let shape = Shape::of_cbor(bytes)?;
    if shape.record_bytes() > MAX_UNPACKED {
        return Err(Error::TooManyValues { shape });
    }
    codec::decode(bytes)
}
