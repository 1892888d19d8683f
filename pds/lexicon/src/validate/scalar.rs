//! Validation of values that contain no other values.

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use super::format::{self, is_cid};
use crate::document::{Integer, Text};
use crate::error::{Checked, Path};

pub(super) fn boolean(path: Path<'_>, constant: Option<bool>, value: &Value) -> Checked {
    match (value, constant) {
        (Value::Bool(given), Some(constant)) if *given != constant => Err(path.wrong(constant.to_string(), value)),
        (Value::Bool(_), _) => Ok(()),
        _ => Err(path.wrong("true or false", value)),
    }
}

pub(super) fn integer(path: Path<'_>, schema: &Integer, value: &Value) -> Checked {
    let Some(number) = value.as_i64() else { return Err(path.wrong("a 64-bit integer", value)) };
    if let Some(constant) = schema.r#const
        && number != constant
    {
        return Err(path.wrong(constant.to_string(), value));
    }
    if let Some(allowed) = &schema.r#enum
        && !allowed.contains(&number)
    {
        return Err(path.wrong(format!("one of [{}]", allowed.show(ToString::to_string, ", ")), value));
    }
    match (schema.minimum, schema.maximum) {
        (Some(minimum), _) if number < minimum => Err(path.wrong(format!("at least {minimum}"), value)),
        (_, Some(maximum)) if number > maximum => Err(path.wrong(format!("at most {maximum}"), value)),
        _ => Ok(()),
    }
}

pub(super) fn text(path: Path<'_>, schema: &Text, value: &Value) -> Checked {
    let Value::String(text) = value else { return Err(path.wrong("a string", value)) };
    if let Some(constant) = &schema.r#const
        && text != constant
    {
        return Err(path.wrong(format!("{constant:?}"), value));
    }
    if let Some(allowed) = &schema.r#enum
        && !allowed.contains(text)
    {
        let names = allowed.show(|name| format!("{name:?}"), ", ");
        return Err(path.wrong(format!("one of [{names}]"), value));
    }
    within(path, "bytes of UTF-8", (schema.min_length, schema.max_length), text.len())?;
    graphemes(path, schema, text)?;
    match schema.format {
        Some(wanted) if !format::matches(wanted, text) => Err(path.wrong(format::describe(wanted), value)),
        _ => Ok(()),
    }
}

/// Counts graphemes only if necessary, because it is slow: a text has at most as many graphemes as bytes.
fn graphemes(path: Path<'_>, schema: &Text, text: &str) -> Checked {
    let too_few_possible = schema.min_graphemes.is_some();
    let too_many_possible = schema.max_graphemes.is_some_and(|maximum| text.len() > maximum);
    if !too_few_possible && !too_many_possible {
        return Ok(());
    }
    let count = text.graphemes(true).count();
    within(path, "graphemes", (schema.min_graphemes, schema.max_graphemes), count)
}

pub(super) fn bytes(path: Path<'_>, length: (Option<usize>, Option<usize>), value: &Value) -> Checked {
    let size = single(value, "$bytes").and_then(decoded_length);
    let Some(size) = size else { return Err(path.wrong("bytes, as {\"$bytes\": base64}", value)) };
    within(path, "bytes", length, size)
}

pub(super) fn cid_link(path: Path<'_>, value: &Value) -> Checked {
    match single(value, "$link").is_some_and(is_cid) {
        true => Ok(()),
        false => Err(path.wrong("a CID link, as {\"$link\": cid}", value)),
    }
}

/// Validates a blob reference. Refuses the legacy form of 2023, which may be read but not written.
pub(super) fn blob(path: Path<'_>, accept: Option<&[String]>, max_size: Option<u64>, value: &Value) -> Checked {
    let expected = "a blob, as {\"$type\": \"blob\", \"ref\", \"mimeType\", \"size\"}";
    let Some(blob) = value.as_object().filter(|object| object.get("$type").is_some_and(|name| name == "blob")) else {
        return Err(path.wrong(expected, value));
    };
    if !blob.get("ref").is_some_and(|link| single(link, "$link").is_some_and(is_cid)) {
        return Err(path.property("ref").wrong_or_missing("a CID link, as {\"$link\": cid}", blob.get("ref")));
    }
    let Some(mime_type) = blob.get("mimeType").and_then(Value::as_str).filter(|text| text.contains('/')) else {
        return Err(path.property("mimeType").wrong_or_missing("a media type", blob.get("mimeType")));
    };
    // Clients write -1 when they convert a reference from the legacy form, which has no size.
    let Some(size) = blob.get("size").and_then(Value::as_i64).filter(|size| *size >= -1) else {
        return Err(path.property("size").wrong_or_missing("a size in bytes", blob.get("size")));
    };
    if let Some(accept) = accept
        && !accept.iter().any(|pattern| accepts(pattern, mime_type))
    {
        return Err(path.property("mimeType").found(accept.join(" or "), mime_type));
    }
    match max_size {
        Some(maximum) if u64::try_from(size).is_ok_and(|size| size > maximum) => {
            Err(path.property("size").found(format!("at most {maximum} bytes"), size.to_string()))
        }
        _ => Ok(()),
    }
}

/// Checks a length against its limits.
pub(super) fn within(
    path: Path<'_>,
    unit: &str,
    (minimum, maximum): (Option<usize>, Option<usize>),
    length: usize,
) -> Checked {
    match (minimum, maximum) {
        (Some(minimum), _) if length < minimum => {
            Err(path.broken(format!("must not have fewer than {minimum} {unit}"), length.to_string()))
        }
        (_, Some(maximum)) if length > maximum => {
            Err(path.broken(format!("must not have more than {maximum} {unit}"), length.to_string()))
        }
        _ => Ok(()),
    }
}

/// Whether a pattern such as `image/*` or `*/*` matches the media type.
fn accepts(pattern: &str, mime_type: &str) -> bool {
    let family = pattern.strip_suffix('*').filter(|family| family.ends_with('/'));
    pattern == "*/*" || pattern == mime_type || family.is_some_and(|family| mime_type.starts_with(family))
}

/// The text under `key` in an object without other keys.
fn single<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.as_object().filter(|object| object.len() == 1)?.get(key)?.as_str()
}

/// The number of bytes in a base64 text, with or without padding. `None` if it is not base64.
fn decoded_length(base64: &str) -> Option<usize> {
    let digits = base64.trim_end_matches('=');
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    (digits.bytes().all(legal) && digits.len() % 4 != 1).then_some(digits.len() * 3 / 4)
}
