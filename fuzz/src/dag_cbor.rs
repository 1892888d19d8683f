//! The rules for the DAG-CBOR of a record, without any other code. Sources: <https://ipld.io/specs/codecs/dag-cbor/spec/>,
//! <https://atproto.com/specs/data-model>.

/// The kind of an item, as far as the rules distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Map,
    FullText,
    Other,
}

/// Properties of the items that DAG-CBOR allows and JSON cannot express.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A map with the key `$link` or `$bytes`.
    pub(crate) special_key: bool,
    /// An integer that JSON parsers may round.
    pub(crate) large_integer: bool,
}

/// Maximum number of levels below the outermost value.
const MAX_DEPTH: usize = 128;

/// Kind and end of the item at the start of `bytes`. `None` if it is not in canonical form.
pub(crate) fn item(bytes: &[u8], seen: &mut Seen) -> Option<(Kind, usize)> {
    let mut at = 0;
    let kind = value(bytes, &mut at, 0, seen)?;
    Some((kind, at))
}

/// Whether these bytes are exactly one item in canonical form.
pub(crate) fn is_valid(bytes: &[u8], seen: &mut Seen) -> bool {
    item(bytes, seen).is_some_and(|(_, end)| end == bytes.len())
}

fn value(bytes: &[u8], at: &mut usize, depth: usize, seen: &mut Seen) -> Option<Kind> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (major, number) = head(bytes, at)?;
    Some(match major {
        // Integers of 64 bits with a sign, positive and negative.
        0 | 1 if number <= i64::MAX as u64 => {
            seen.large_integer |= number + u64::from(major) >= 1 << 53;
            Kind::Other
        }
        2 => part(bytes, at, number).map(|_| Kind::Other)?,
        3 => text(bytes, at, number).map(|text| if text.is_empty() { Kind::Other } else { Kind::FullText })?,
        4 => {
            for _ in 0..number {
                value(bytes, at, depth + 1, seen)?;
            }
            Kind::Other
        }
        5 => {
            let mut before: Option<&str> = None;
            for _ in 0..number {
                let (3, length) = head(bytes, at)? else { return None };
                let key = text(bytes, at, length)?;
                if before.is_some_and(|before| (before.len(), before) >= (key.len(), key)) {
                    return None;
                }
                let kind = value(bytes, at, depth + 1, seen)?;
                if key == "$type" && kind != Kind::FullText {
                    return None;
                }
                seen.special_key |= key == "$link" || key == "$bytes";
                before = Some(key);
            }
            Kind::Map
        }
        6 if number == 42 => {
            let (2, length) = head(bytes, at)? else { return None };
            link(part(bytes, at, length)?)?;
            Kind::Other
        }
        7 if (20..=22).contains(&number) => Kind::Other,
        _ => return None,
    })
}

/// Major type and number of an item, which must be in the shortest form.
fn head(bytes: &[u8], at: &mut usize) -> Option<(u8, u64)> {
    let first = *bytes.get(*at)?;
    *at += 1;
    let size = match first & 31 {
        small @ 0..24 => return Some((first >> 5, u64::from(small))),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let mut number = [0; 8];
    number[8 - size..].copy_from_slice(bytes.get(*at..*at + size)?);
    *at += size;
    let number = u64::from_be_bytes(number);
    // Simple values have no number, and floating-point numbers are not in the data model.
    let least = [24, 1 << 8, 1 << 16, 1 << 32][size.trailing_zeros() as usize];
    (number >= least && first >> 5 != 7).then_some((first >> 5, number))
}

fn part<'a>(bytes: &'a [u8], at: &mut usize, length: u64) -> Option<&'a [u8]> {
    let part = bytes.get(*at..)?.get(..usize::try_from(length).ok()?)?;
    *at += part.len();
    Some(part)
}

fn text<'a>(bytes: &'a [u8], at: &mut usize, length: u64) -> Option<&'a str> {
    std::str::from_utf8(part(bytes, at, length)?).ok()
}

/// A zero byte, then a CID: version 0 is a bare SHA-256, version 1 has a codec and a hash of at most 64 bytes.
fn link(bytes: &[u8]) -> Option<()> {
    let cid = bytes.strip_prefix(&[0])?;
    if cid.starts_with(&[0x12, 0x20]) {
        return (cid.len() == 34).then_some(());
    }
    let (version, rest) = varint(cid)?;
    let (_codec, rest) = varint(rest)?;
    let (_hash, rest) = varint(rest)?;
    let (length, digest) = varint(rest)?;
    (version == 1 && length <= 64 && digest.len() as u64 == length).then_some(())
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (n, byte) in bytes.iter().enumerate().take(10) {
        let shifted = u64::from(byte & 0x7f).checked_shl(7 * n as u32)?;
        if n == 9 && *byte > 1 {
            return None;
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            return (*byte != 0 || n == 0).then_some((value, &bytes[n + 1..]));
        }
    }
    None
}
