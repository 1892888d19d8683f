//! CAR v1. Source: <https://ipld.io/specs/transport/car/carv1/>.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{Cid, cbor};

/// The header of a file with one root.
pub fn header(root: &Cid) -> Bytes {
    let mut body = cbor::Writer::with_capacity(64);
    body.map(2).text("roots").array(1).link(root).text("version").int(1);
    let body = body.into_bytes();
    let mut out = BytesMut::with_capacity(body.len() + 1);
    varint(&mut out, body.len() as u64);
    out.extend_from_slice(&body);
    out.freeze()
}

/// Appends a block.
pub fn append(out: &mut BytesMut, cid: &Cid, block: &[u8]) {
    out.reserve(block.len() + Cid::LEN + 5);
    varint(out, (block.len() + Cid::LEN) as u64);
    out.extend_from_slice(&cid.to_bytes());
    out.extend_from_slice(block);
}

/// A whole file.
pub fn write<'a>(root: &Cid, blocks: impl IntoIterator<Item = (&'a Cid, &'a Bytes)>) -> Bytes {
    let mut out = BytesMut::from(header(root));
    for (cid, block) in blocks {
        append(&mut out, cid, block);
    }
    out.freeze()
}

fn varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// What is wrong with a CAR file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The header is not that of a CAR v1 with one root.
    #[error("the CAR header is not that of a version 1 file with one root")]
    Header,
    /// It ends within a block, or a length makes no sense.
    #[error("the CAR file is cut or damaged")]
    Cut,
    /// A block whose CID the protocol does not make.
    #[error("the CAR file holds a block with a CID of another form")]
    Form,
    /// A block that does not hash to its CID.
    #[error("block {0} of the CAR file does not hash to its CID")]
    Hash(Cid),
}

/// Reads the blocks of a file in memory, each checked against its CID.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The header's root.
    pub root: Cid,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header, rest) = section(bytes).ok_or(Error::Header)?;
        let root = read_header(header).map_err(|_| Error::Header)?;
        Ok(Self { root, rest })
    }
}

fn read_header(header: &[u8]) -> Result<Cid, cbor::Invalid> {
    let mut reader = cbor::Reader::new(header);
    if reader.map()? != 2 || reader.key("roots")?.array()? != 1 {
        return Err(reader.invalid());
    }
    let root = reader.link()?;
    if reader.key("version")?.uint()? != 1 {
        return Err(reader.invalid());
    }
    reader.end().map(|()| root)
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(Cid, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((body, rest)) = section(self.rest) else {
            self.rest = &[];
            return Some(Err(Error::Cut));
        };
        self.rest = rest;
        let Some((cid, block)) = body.split_at_checked(Cid::LEN) else { return Some(Err(Error::Form)) };
        Some(match Cid::from_bytes(cid) {
            Ok(cid) if cid.matches(block) => Ok((cid, block)),
            Ok(cid) => Err(Error::Hash(cid)),
            Err(_) => Err(Error::Form),
        })
    }
}

/// Splits a length-prefixed section off.
fn section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0u64;
    for (n, byte) in bytes.iter().take(5).enumerate() {
        len |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            // The shortest form only.
            if *byte == 0 && n > 0 {
                return None;
            }
            return bytes[n + 1..].split_at_checked(usize::try_from(len).ok()?);
        }
    }
    None
}
