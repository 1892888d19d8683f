//! CAR v1. Source: <https://ipld.io/specs/transport/car/carv1/>.

use bytes::{Buf, Bytes, BytesMut};
use unsigned_varint::{decode, encode};

use crate::{Cid, cbor};

/// The header of a file with one root.
pub fn header(root: &Cid) -> Bytes {
    let mut body = cbor::Writer::with_capacity(64);
    body.map(2).text("roots").array(1).link(root).text("version").int(1);
    let body = body.into_bytes();
    let mut out = BytesMut::with_capacity(body.len() + 1);
    out.extend_from_slice(encode::usize(body.len(), &mut encode::usize_buffer()));
    out.extend_from_slice(&body);
    out.freeze()
}

/// Appends a block to a file.
pub fn append(out: &mut BytesMut, cid: &Cid, block: &[u8]) {
    out.reserve(block.len() + Cid::LEN + 5);
    out.extend_from_slice(encode::usize(block.len() + Cid::LEN, &mut encode::usize_buffer()));
    out.extend_from_slice(&cid.to_bytes());
    out.extend_from_slice(block);
}

/// Bytes that [`append`] adds for a block of this size.
pub fn section_bytes(block: u64) -> u64 {
    let body = block + Cid::LEN as u64;
    // Seven bits of the length in each byte.
    let length = u64::from(u64::BITS - body.leading_zeros()).div_ceil(7);
    length + body
}

/// A complete file in memory.
pub fn write<'a>(root: &Cid, blocks: impl IntoIterator<Item = (&'a Cid, &'a Bytes)>) -> Bytes {
    let mut out = BytesMut::from(header(root));
    for (cid, block) in blocks {
        append(&mut out, cid, block);
    }
    out.freeze()
}

/// Why a CAR file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the CAR header is not that of a version 1 file with one root")]
    Header,
    /// The file ends within a block, or a length is not valid.
    #[error("the CAR file is cut or damaged")]
    Cut,
    /// A block has a CID of a form that the protocol does not use.
    #[error("the CAR file contains a block whose CID is not CIDv1, dag-cbor or raw, SHA-256")]
    Form,
    #[error("block {0} of the CAR file does not hash to its CID")]
    Hash(Cid),
    #[error("the CAR file contains a block of {0} bytes: at most {MAX_BLOCK} are allowed")]
    Large(usize),
}

/// Reads the blocks of a file in memory and checks each against its CID.
#[derive(Debug)]
pub struct Reader<'a> {
    pub root: Cid,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Error::Header`].
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
        Some(checked(body).map(|cid| (cid, &body[Cid::LEN..])))
    }
}

/// The CID at the start of a section. Fails if the rest of the section does not match it.
fn checked(section: &[u8]) -> Result<Cid, Error> {
    let (cid, block) = section.split_at_checked(Cid::LEN).ok_or(Error::Form)?;
    let cid = Cid::from_bytes(cid).map_err(|_| Error::Form)?;
    if cid.matches(block) { Ok(cid) } else { Err(Error::Hash(cid)) }
}

/// Splits off the first section, without its length. `None` if it is incomplete.
fn section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, at) = length(bytes).ok()??;
    bytes[at..].split_at_checked(len)
}

/// The length at the start, which must be in its shortest form, and the number of bytes that it takes. `None` if more bytes are needed.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    match decode::u32(bytes) {
        Ok((len, rest)) => Ok(Some((len as usize, bytes.len() - rest.len()))),
        Err(decode::Error::Insufficient) => Ok(None),
        Err(_) => Err(Error::Cut),
    }
}

/// Maximum size of a block in a [`Feed`], in bytes: twice the size of a record, and more than any node that fits into an event.
pub const MAX_BLOCK: usize = 2 << 20;

/// Reads the blocks of a file that arrives in pieces, and checks each against its CID.
///
/// Keeps at most one incomplete block beyond the last piece. A length that the file claims takes no memory until the bytes arrive. Must not be
/// used after an error.
#[derive(Debug, Default)]
pub struct Feed {
    held: BytesMut,
    root: Option<Cid>,
}

impl Feed {
    /// Adds the next bytes of the file.
    pub fn push(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    /// The next block, or `None` if more bytes are needed.
    pub fn block(&mut self) -> Result<Option<(Cid, Bytes)>, Error> {
        if self.root.is_none() {
            let Some(header) = self.section().map_err(|_| Error::Header)? else { return Ok(None) };
            self.root = Some(read_header(&header).map_err(|_| Error::Header)?);
        }
        let Some(mut block) = self.section()? else { return Ok(None) };
        let cid = checked(&block)?;
        Ok(Some((cid, block.split_off(Cid::LEN))))
    }

    /// Number of bytes that were pushed and are not part of a block that was returned.
    pub fn pending(&self) -> usize {
        self.held.len()
    }

    /// The root in the header, at the end of the file.
    ///
    /// # Errors
    /// [`Error::Cut`] if an incomplete block is left.
    pub fn end(self) -> Result<Cid, Error> {
        let root = self.root.ok_or(Error::Header)?;
        if self.held.is_empty() { Ok(root) } else { Err(Error::Cut) }
    }

    fn section(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((len, at)) = length(&self.held)? else { return Ok(None) };
        if len > MAX_BLOCK + Cid::LEN {
            return Err(Error::Large(len));
        }
        if self.held.len() - at < len {
            return Ok(None);
        }
        self.held.advance(at);
        Ok(Some(self.held.split_to(len).freeze()))
    }
}
