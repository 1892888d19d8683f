//! Reads and writes DAG-CBOR of a known shape: nodes, commits and frames. For records see [`crate::record`].

use crate::Cid;

/// Appends canonical DAG-CBOR items to a buffer.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer with that capacity in bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Everything written so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let major = major << 5;
        match value {
            0..=23 => self.out.push(major | value as u8),
            24..=0xff => self.out.extend([major | 24, value as u8]),
            0x100..=0xffff => {
                self.out.push(major | 25);
                self.out.extend((value as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.out.push(major | 26);
                self.out.extend((value as u32).to_be_bytes());
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend(value.to_be_bytes());
            }
        }
        self
    }

    /// The head of a map of `len` pairs. The caller must write the keys in canonical order: shorter keys first, keys of one length bytewise.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.head(5, len as u64)
    }

    /// The head of an array of `len` items.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.head(4, len as u64)
    }

    /// Writes a text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(3, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(2, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        self
    }

    /// Writes an integer in its shortest form.
    pub fn int(&mut self, value: i64) -> &mut Self {
        if value >= 0 { self.head(0, value as u64) } else { self.head(1, !value as u64) }
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.out.push(if value { 0xf5 } else { 0xf4 });
        self
    }

    /// Writes `null`.
    pub fn null(&mut self) -> &mut Self {
        self.out.push(0xf6);
        self
    }

    /// Writes a link: tag 42 with a byte string of a zero byte and the CID.
    pub fn link(&mut self, cid: &Cid) -> &mut Self {
        self.out.extend([0xd8, 42, 0x58, 37, 0]);
        self.out.extend(cid.to_bytes());
        self
    }

    /// Writes a link to a CID of any form.
    pub fn any_link(&mut self, cid: &::cid::Cid) -> &mut Self {
        let mut bytes = vec![0];
        bytes.extend(cid.to_bytes());
        self.head(6, 42).bytes(&bytes)
    }

    /// Appends items that are already encoded.
    pub fn raw(&mut self, items: &[u8]) -> &mut Self {
        self.out.extend_from_slice(items);
        self
    }

    /// Writes a link, or `null` for `None`.
    pub fn optional_link(&mut self, cid: Option<&Cid>) -> &mut Self {
        match cid {
            Some(cid) => self.link(cid),
            None => self.null(),
        }
    }
}

/// The number of bytes that [`Writer::int`] writes.
pub fn int_len(value: i64) -> usize {
    match if value >= 0 { value } else { !value } {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Appends to these bytes.
impl From<Vec<u8>> for Writer {
    fn from(out: Vec<u8>) -> Self {
        Self { out }
    }
}

/// The bytes are not canonical DAG-CBOR of the expected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical DAG-CBOR of the expected shape at byte {at}")]
pub struct Invalid {
    /// Offset at which reading stopped.
    pub at: usize,
}

/// Reads canonical DAG-CBOR items from a slice. Never recurses. Each method fails if the next item has another type.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Result<T> = std::result::Result<T, Invalid>;

impl<'a> Reader<'a> {
    /// A reader at the start of the slice.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error that the next item is not the expected one.
    pub fn invalid(&self) -> Invalid {
        Invalid { at: self.at }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len()).ok_or(self.invalid())?;
        let part = &self.bytes[self.at..end];
        self.at = end;
        Ok(part)
    }

    fn head(&mut self, major: u8) -> Result<u64> {
        let start = self.at;
        let first = self.take(1)?[0];
        if first >> 5 != major {
            self.at = start;
            return Err(self.invalid());
        }
        let (len, least) = match first & 31 {
            short @ 0..=23 => return Ok(u64::from(short)),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(self.invalid()),
        };
        let value = self.take(len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        if value < least { Err(self.invalid()) } else { Ok(value) }
    }

    /// The major type of the next item.
    pub fn major(&self) -> Result<u8> {
        self.bytes.get(self.at).map(|first| first >> 5).ok_or(self.invalid())
    }

    /// Reads a signed 64-bit integer.
    pub fn int(&mut self) -> Result<i64> {
        let (invalid, negative) = (self.invalid(), self.major()? == 1);
        let value = i64::try_from(self.head(u8::from(negative))?).map_err(|_| invalid)?;
        Ok(if negative { !value } else { value })
    }

    /// Reads the head of a map: the number of pairs.
    pub fn map(&mut self) -> Result<usize> {
        self.head(5).map(|len| len as usize)
    }

    /// Reads the head of an array: the number of items.
    pub fn array(&mut self) -> Result<usize> {
        self.head(4).map(|len| len as usize)
    }

    /// Reads a text string.
    pub fn text(&mut self) -> Result<&'a str> {
        let len = self.head(3)?;
        let bytes = self.take(usize::try_from(len).map_err(|_| self.invalid())?)?;
        std::str::from_utf8(bytes).map_err(|_| self.invalid())
    }

    /// Reads a key of a map, which must be `name`.
    pub fn key(&mut self, name: &str) -> Result<&mut Self> {
        if self.text()? == name { Ok(self) } else { Err(self.invalid()) }
    }

    /// Reads a byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.head(2)?;
        self.take(usize::try_from(len).map_err(|_| self.invalid())?)
    }

    /// Reads a non-negative integer.
    pub fn uint(&mut self) -> Result<u64> {
        self.head(0)
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self) -> Result<bool> {
        let invalid = self.invalid();
        match self.take(1)? {
            [0xf5] => Ok(true),
            [0xf4] => Ok(false),
            _ => Err(invalid),
        }
    }

    /// Reads `null` if it is the next item. Returns whether it was.
    pub fn null(&mut self) -> bool {
        let null = self.bytes.get(self.at) == Some(&0xf6);
        self.at += usize::from(null);
        null
    }

    /// Whether the next item is a 64-bit floating-point number, the only width in DAG-CBOR.
    pub fn is_float(&self) -> bool {
        self.bytes.get(self.at) == Some(&0xfb)
    }

    /// Reads a 64-bit floating-point number.
    pub fn float(&mut self) -> Result<f64> {
        let invalid = self.invalid();
        match self.take(9)?.split_first_chunk::<1>() {
            Some(([0xfb], number)) => number.try_into().map(f64::from_be_bytes).map_err(|_| invalid),
            _ => Err(invalid),
        }
    }

    /// Reads a link to a CID of the form that the protocol uses.
    pub fn link(&mut self) -> Result<Cid> {
        let invalid = self.invalid();
        match self.take(41)?.split_first_chunk::<5>() {
            Some(([0xd8, 42, 0x58, 37, 0], cid)) => Cid::from_bytes(cid).map_err(|_| invalid),
            _ => Err(invalid),
        }
    }

    /// Reads a link to a CID of any form.
    pub fn any_link(&mut self) -> Result<::cid::Cid> {
        let invalid = self.invalid();
        if self.head(6)? != 42 {
            return Err(invalid);
        }
        let bytes = self.bytes()?.strip_prefix(&[0]).ok_or(invalid)?;
        // The parser ignores bytes after a CID.
        ::cid::Cid::try_from(bytes).ok().filter(|cid| cid.encoded_len() == bytes.len()).ok_or(invalid)
    }

    /// Reads a link, or `null` as `None`.
    pub fn optional_link(&mut self) -> Result<Option<Cid>> {
        if self.null() { Ok(None) } else { self.link().map(Some) }
    }

    /// The next item with all that it contains, as it is written. The order of keys inside is not checked.
    pub fn raw(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        self.skip(|_, _| {})?;
        Ok(&self.bytes[start..self.at])
    }

    /// Skips the next item with all that it contains. Calls `seen` for each item in it: its major type, and for arrays and maps the length that they
    /// claim. If this succeeds, all of it was there.
    pub fn skip(&mut self, mut seen: impl FnMut(u8, u64)) -> Result<()> {
        let mut open = 1_u64;
        while open > 0 {
            open -= 1;
            let major = self.major()?;
            let more = match major {
                major @ (0 | 1) => self.head(major).map(|_| 0)?,
                major @ (2 | 3) => {
                    let len = self.head(major)?;
                    self.take(usize::try_from(len).map_err(|_| self.invalid())?).map(|_| 0)?
                }
                4 => self.head(4)?,
                5 => self.head(5)?.checked_mul(2).ok_or(self.invalid())?,
                6 => self.head(6).map(|_| 1)?,
                _ if self.is_float() => self.take(9).map(|_| 0)?,
                _ if self.null() => 0,
                _ => self.bool().map(|_| 0)?,
            };
            seen(major, if major == 5 { more / 2 } else { more });
            // Each item takes a byte at least, so the count ends with the bytes.
            open = open.checked_add(more).ok_or(self.invalid())?;
        }
        Ok(())
    }

    /// Fails if bytes are left.
    pub fn end(&self) -> Result<()> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.invalid()) }
    }
}
