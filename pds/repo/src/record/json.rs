//! Converts JSON with `$link` and `$bytes` to values. [`super::text`] writes JSON.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use ipld_core::ipld::Ipld;
use serde_json::{Map, Value};

use super::error::{Error, FLOAT, TOO_DEEP, UNSAFE};
use super::limit::MAX_DEPTH;

pub(super) fn to_ipld(value: &Value) -> Result<Ipld, Error> {
    ipld(value, 0)
}

fn ipld(value: &Value, depth: usize) -> Result<Ipld, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::value(TOO_DEEP));
    }
    Ok(match value {
        Value::Null => Ipld::Null,
        Value::Bool(value) => Ipld::Bool(*value),
        Value::String(text) => Ipld::String(text.clone()),
        Value::Number(number) => Ipld::Integer(integer(number)?.into()),
        Value::Array(items) => Ipld::List(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| ipld(item, depth + 1).map_err(|error| error.within(at)))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(object) => match special(object)? {
            Some(value) => value,
            None => Ipld::Map(
                object
                    .iter()
                    .map(|(key, item)| match ipld(item, depth + 1) {
                        Ok(item) => Ok((key.clone(), item)),
                        Err(error) => Err(error.within(key)),
                    })
                    .collect::<Result<_, _>>()?,
            ),
        },
    })
}

/// Largest integer that all JSON parsers read exactly; many read numbers as 64-bit floats.
const MAX_INTEGER: i64 = (1 << 53) - 1;

fn integer(number: &serde_json::Number) -> Result<i64, Error> {
    // In JSON, 1.0 and 1 are the same number.
    let float = || number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i64);
    match number.as_i64().or_else(float) {
        Some(number) if number.abs_diff(0) <= MAX_INTEGER as u64 => Ok(number),
        Some(_) => Err(Error::value(UNSAFE)),
        None => Err(Error::value(FLOAT)),
    }
}

/// Maximum length of a CID as text. Those of the protocol have 59 bytes.
const MAX_LINK_BYTES: usize = 128;

/// The link or byte string that an object with the key `$link` or `$bytes` stands for.
fn special(object: &Map<String, Value>) -> Result<Option<Ipld>, Error> {
    let alone = |value: &Value, reason| match value {
        Value::String(text) if object.len() == 1 => Ok(text.clone()),
        _ => Err(Error::value(reason)),
    };
    if let Some(link) = object.get("$link") {
        let text = alone(link, "$link must be a text and stand alone")?;
        // Decoding takes quadratic time in some bases. The parser ignores characters after a CID; comparison with the canonical text detects them.
        let short = Some(&*text).filter(|text| text.len() <= MAX_LINK_BYTES);
        let cid = short.and_then(|text| text.parse::<cid::Cid>().ok()).filter(|cid| cid.to_string() == text);
        return Ok(Some(Ipld::Link(cid.ok_or_else(|| Error::value("$link must hold a CID"))?)));
    }
    if let Some(bytes) = object.get("$bytes") {
        let text = alone(bytes, "$bytes must be a text and stand alone")?;
        let text = text.trim_end_matches('=').as_bytes();
        let bytes = BASE64_NOPAD.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text));
        return Ok(Some(Ipld::Bytes(bytes.map_err(|_| Error::value("$bytes must hold base64"))?)));
    }
    Ok(None)
}
