//! JSON with `$link` and `$bytes`.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use ipld_core::ipld::Ipld;
use serde_json::{Map, Value, json};

use super::{Error, MAX_DEPTH};

pub(super) fn to_ipld(value: &Value) -> Result<Ipld, Error> {
    ipld(value, &mut Vec::new())
}

fn error(path: &[String], reason: &'static str) -> Error {
    Error::Value { path: path.iter().fold(String::new(), |text, part| text + "/" + part), reason }
}

fn ipld(value: &Value, path: &mut Vec<String>) -> Result<Ipld, Error> {
    if path.len() > MAX_DEPTH {
        return Err(error(&path[..4], "nested too deep: at most 128 levels"));
    }
    Ok(match value {
        Value::Null => Ipld::Null,
        Value::Bool(value) => Ipld::Bool(*value),
        Value::String(text) => Ipld::String(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Ipld::Integer(number.into()),
            None if number.is_u64() => return Err(error(path, "integers must fit into 64 bits, signed")),
            // JSON does not tell 1.0 from 1; up to 2^53 the value is exact.
            None => {
                match number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0) {
                    Some(float) => Ipld::Integer(float as i128),
                    None => return Err(error(path, "the data model has no floating-point numbers")),
                }
            }
        },
        Value::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                list.push(ipld(item, path)?);
                path.pop();
            }
            Ipld::List(list)
        }
        Value::Object(object) => match special(object, path)? {
            Some(value) => value,
            None => {
                let mut map = std::collections::BTreeMap::new();
                for (key, item) in object {
                    path.push(key.clone());
                    map.insert(key.clone(), ipld(item, path)?);
                    path.pop();
                }
                Ipld::Map(map)
            }
        },
    })
}

/// Links and byte strings, which JSON writes as objects of one key.
fn special(object: &Map<String, Value>, path: &[String]) -> Result<Option<Ipld>, Error> {
    if let Some(link) = object.get("$link") {
        let text = link
            .as_str()
            .filter(|_| object.len() == 1)
            .ok_or_else(|| error(path, "$link must be a text and stand alone"))?;
        let cid = text.parse().map_err(|_| error(path, "$link must hold a CID"))?;
        return Ok(Some(Ipld::Link(cid)));
    }
    if let Some(bytes) = object.get("$bytes") {
        let text = bytes
            .as_str()
            .filter(|_| object.len() == 1)
            .ok_or_else(|| error(path, "$bytes must be a text and stand alone"))?;
        let text = text.trim_end_matches('=').as_bytes();
        let bytes = BASE64_NOPAD.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text));
        return Ok(Some(Ipld::Bytes(bytes.map_err(|_| error(path, "$bytes must hold base64"))?)));
    }
    Ok(None)
}

pub(super) fn from_ipld(value: &Ipld) -> Value {
    match value {
        Ipld::Null => Value::Null,
        Ipld::Bool(value) => Value::Bool(*value),
        // Decoding has refused what does not fit.
        Ipld::Integer(number) => i64::try_from(*number).map_or(Value::Null, Value::from),
        Ipld::Float(number) => Value::from(*number),
        Ipld::String(text) => Value::String(text.clone()),
        Ipld::Bytes(bytes) => json!({"$bytes": BASE64_NOPAD.encode(bytes)}),
        Ipld::Link(cid) => json!({"$link": cid.to_string()}),
        Ipld::List(items) => items.iter().map(from_ipld).collect(),
        Ipld::Map(map) => map.iter().map(|(key, item)| (key.clone(), from_ipld(item))).collect::<Map<_, _>>().into(),
    }
}
