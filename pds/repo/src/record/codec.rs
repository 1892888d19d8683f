//! Encodes and decodes canonical DAG-CBOR. ADR 6 says why this is not a library.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;

use super::error::{Error, FLOAT, TOO_DEEP, TOO_LARGE};
use super::limit::MAX_DEPTH;
use crate::cbor::{Reader, Writer};

/// Encodes a value in canonical form.
pub(super) fn encode(value: &Ipld) -> Result<Vec<u8>, Error> {
    let mut out = Writer::with_capacity(512);
    write(value, &mut out)?;
    Ok(out.into_bytes())
}

fn write(value: &Ipld, out: &mut Writer) -> Result<(), Error> {
    match value {
        Ipld::Null => out.null(),
        Ipld::Bool(value) => out.bool(*value),
        Ipld::Integer(value) => out.int(i64::try_from(*value).map_err(|_| Error::value(TOO_LARGE))?),
        Ipld::Float(_) => return Err(Error::value(FLOAT)),
        Ipld::String(text) => out.text(text),
        Ipld::Bytes(bytes) => out.bytes(bytes),
        Ipld::List(items) => {
            out.array(items.len());
            return items.iter().try_for_each(|item| write(item, out));
        }
        Ipld::Map(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            // The map is in bytewise order. The sort is stable, so keys of the same length stay in this order.
            pairs.sort_by_key(|(key, _)| key.len());
            out.map(pairs.len());
            return pairs.into_iter().try_for_each(|(key, item)| write(item, out.text(key)));
        }
        Ipld::Link(cid) => out.any_link(cid),
    };
    Ok(())
}

/// Decodes the value in `bytes`, which must be in canonical form without trailing bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Ipld, Error> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader, 0)?;
    reader.end()?;
    Ok(value)
}

/// Allocates memory for items that are present, never for a length that the input claims.
fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Ipld, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::value(TOO_DEEP));
    }
    Ok(match reader.major()? {
        0 | 1 => Ipld::Integer(reader.int()?.into()),
        2 => Ipld::Bytes(reader.bytes()?.to_vec()),
        3 => Ipld::String(reader.text()?.to_owned()),
        4 => {
            let mut items = Vec::new();
            for _ in 0..reader.array()? {
                items.push(read(reader, depth + 1)?);
            }
            Ipld::List(items)
        }
        5 => {
            let mut map = BTreeMap::new();
            let mut before = None;
            for _ in 0..reader.map()? {
                let key = reader.text()?;
                if before.is_some_and(|before: &str| (before.len(), before) >= (key.len(), key)) {
                    return Err(reader.invalid().into());
                }
                before = Some(key);
                map.insert(key.to_owned(), read(reader, depth + 1)?);
            }
            Ipld::Map(map)
        }
        6 => Ipld::Link(reader.any_link()?),
        _ if reader.null() => Ipld::Null,
        // Accepted here. `check` refuses it and reports its path.
        _ if reader.is_float() => Ipld::Float(reader.float()?),
        _ => Ipld::Bool(reader.bool()?),
    })
}
