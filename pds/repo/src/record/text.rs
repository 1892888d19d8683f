//! Writes DAG-CBOR as JSON text with `$link` and `$bytes`, in one pass without intermediate values.

use std::io::Write;

use data_encoding::BASE64_NOPAD;

use super::error::{Error, FLOAT, TOO_DEEP};
use super::limit::MAX_DEPTH;
use crate::cbor::Reader;

/// Appends the JSON form of the item in `bytes`.
pub(super) fn write(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut reader = Reader::new(bytes);
    item(&mut reader, out, 0)?;
    Ok(reader.end()?)
}

fn item(reader: &mut Reader<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::value(TOO_DEEP));
    }
    match reader.major()? {
        0 | 1 => text(out, &reader.int()?),
        2 => {
            out.extend_from_slice(b"{\"$bytes\":\"");
            out.extend_from_slice(BASE64_NOPAD.encode(reader.bytes()?).as_bytes());
            out.extend_from_slice(b"\"}");
        }
        3 => quoted(out, reader.text()?)?,
        4 => {
            out.push(b'[');
            for at in 0..reader.array()? {
                if at > 0 {
                    out.push(b',');
                }
                item(reader, out, depth + 1)?;
            }
            out.push(b']');
        }
        5 => {
            out.push(b'{');
            for at in 0..reader.map()? {
                if at > 0 {
                    out.push(b',');
                }
                quoted(out, reader.text()?)?;
                out.push(b':');
                item(reader, out, depth + 1)?;
            }
            out.push(b'}');
        }
        6 => {
            out.extend_from_slice(b"{\"$link\":\"");
            text(out, &reader.any_link()?);
            out.extend_from_slice(b"\"}");
        }
        _ if reader.null() => out.extend_from_slice(b"null"),
        // Imported records may contain floating-point numbers.
        _ if reader.is_float() => match reader.float()? {
            number if number.is_finite() => write!(out, "{number:?}").expect("writing to a Vec cannot fail"),
            _ => return Err(Error::value(FLOAT)),
        },
        _ => text(out, &reader.bool()?),
    }
    Ok(())
}

fn text(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    write!(out, "{value}").expect("writing to a Vec cannot fail");
}

fn quoted(out: &mut Vec<u8>, text: &str) -> Result<(), Error> {
    serde_json::to_writer(out, text).map_err(|error| Error::Cbor(error.to_string()))
}
