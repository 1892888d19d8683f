//! What the data model asks of a value beyond being DAG-CBOR.

use ipld_core::ipld::Ipld;

use super::{BlobRef, Error};
use crate::Cid;

/// How deep maps and lists may nest.
pub const MAX_DEPTH: usize = 128;

fn error(path: &[String], reason: &'static str) -> Error {
    Error::Value { path: path.iter().fold(String::new(), |text, part| text + "/" + part), reason }
}

/// Floats, large integers and deep nesting are refused.
pub(super) fn value(value: &Ipld) -> Result<(), Error> {
    visit(value, &mut Vec::new(), &mut |_, _| Ok(()))
}

/// The same, and the blob references, each checked for its form. The record must be a map with a `$type`, if it has one, that is text.
pub(super) fn blobs(record: &Ipld) -> Result<Vec<BlobRef>, Error> {
    if !matches!(record, Ipld::Map(_)) {
        return Err(error(&[], "a record must be an object"));
    }
    let mut found = Vec::new();
    visit(record, &mut Vec::new(), &mut |value, path| {
        found.extend(blob(value, path)?);
        Ok(())
    })?;
    Ok(found)
}

fn visit(
    value: &Ipld,
    path: &mut Vec<String>,
    seen: &mut impl FnMut(&std::collections::BTreeMap<String, Ipld>, &[String]) -> Result<(), Error>,
) -> Result<(), Error> {
    if path.len() > MAX_DEPTH {
        return Err(error(&path[..4], "nested too deep: at most 128 levels"));
    }
    match value {
        Ipld::Float(_) => Err(error(path, "the data model has no floating-point numbers")),
        Ipld::Integer(number) if i64::try_from(*number).is_err() => {
            Err(error(path, "integers must fit into 64 bits, signed"))
        }
        Ipld::List(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                visit(item, path, seen)?;
                path.pop();
            }
            Ok(())
        }
        Ipld::Map(map) => {
            match map.get("$type") {
                None => {}
                Some(Ipld::String(text)) if !text.is_empty() => {}
                Some(_) => return Err(error(path, "$type must be a text that is not empty")),
            }
            seen(map, path)?;
            for (key, item) in map {
                path.push(key.clone());
                visit(item, path, seen)?;
                path.pop();
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn blob(map: &std::collections::BTreeMap<String, Ipld>, path: &[String]) -> Result<Option<BlobRef>, Error> {
    if !matches!(map.get("$type"), Some(Ipld::String(kind)) if kind == "blob") {
        return Ok(None);
    }
    let (Some(Ipld::Link(cid)), Some(Ipld::String(mime_type)), Some(Ipld::Integer(size))) =
        (map.get("ref"), map.get("mimeType"), map.get("size"))
    else {
        return Err(error(path, "a blob has ref (a link), mimeType (text) and size (an integer)"));
    };
    let cid = Cid::try_from(cid).map_err(|_| error(path, "a blob's ref must be a CIDv1 with SHA-256"))?;
    let size = i64::try_from(*size)
        .ok()
        .filter(|size| *size >= 0)
        .ok_or_else(|| error(path, "a blob's size must not be negative"))?;
    Ok(Some(BlobRef { cid, mime_type: mime_type.clone(), size }))
}
