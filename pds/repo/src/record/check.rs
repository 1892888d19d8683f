//! Checks of the data model that go beyond DAG-CBOR.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;

use super::blob_ref::{BlobRef, UNKNOWN_SIZE};
use super::error::{Error, FLOAT, TOO_DEEP, TOO_LARGE};
use super::limit::MAX_DEPTH;
use crate::Cid;

/// Refuses floating-point numbers, integers that do not fit into 64 bits, deep nesting, and a `$type` that is not text.
pub(super) fn value(value: &Ipld) -> Result<(), Error> {
    visit(value, 0, &mut |_| Ok(()))
}

/// Checks a record as [`value`] does, and its blob references. The record must be a map. Returns the blob references.
pub(super) fn blobs(record: &Ipld) -> Result<Vec<BlobRef>, Error> {
    if !matches!(record, Ipld::Map(_)) {
        return Err(Error::value("a record must be an object"));
    }
    let mut found = Vec::new();
    visit(record, 0, &mut |map| {
        found.extend(blob(map)?);
        Ok(())
    })?;
    Ok(found)
}

/// The blob references of an imported record, and its first violation of the data model. Fails only if the record has no JSON form.
pub(super) fn foreign(record: &Ipld) -> Result<(Vec<BlobRef>, Option<Error>), Error> {
    let fault = match blobs(record) {
        Ok(found) => return Ok((found, None)),
        Err(fault) => fault,
    };
    if !matches!(record, Ipld::Map(_)) {
        return Err(fault);
    }
    let mut found = Vec::new();
    check_json_form(record, 0, &mut found)?;
    Ok((found, Some(fault)))
}

/// Fails if a value has no JSON form. Appends its valid blob references to `found`.
fn check_json_form(value: &Ipld, depth: usize, found: &mut Vec<BlobRef>) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::value(TOO_DEEP));
    }
    match value {
        Ipld::Float(number) if !number.is_finite() => Err(Error::value(FLOAT)),
        Ipld::List(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| check_json_form(item, depth + 1, found).map_err(|error| error.within(at))),
        Ipld::Map(map) => {
            found.extend(blob(map).ok().flatten());
            map.iter()
                .try_for_each(|(key, item)| check_json_form(item, depth + 1, found).map_err(|error| error.within(key)))
        }
        _ => Ok(()),
    }
}

fn visit(
    value: &Ipld,
    depth: usize,
    seen: &mut impl FnMut(&BTreeMap<String, Ipld>) -> Result<(), Error>,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::value(TOO_DEEP));
    }
    match value {
        Ipld::Float(_) => Err(Error::value(FLOAT)),
        Ipld::Integer(number) if i64::try_from(*number).is_err() => Err(Error::value(TOO_LARGE)),
        Ipld::List(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| visit(item, depth + 1, seen).map_err(|error| error.within(at))),
        Ipld::Map(map) => {
            match map.get("$type") {
                None => {}
                Some(Ipld::String(text)) if !text.is_empty() => {}
                Some(_) => return Err(Error::value("$type must be text and not empty")),
            }
            seen(map)?;
            map.iter().try_for_each(|(key, item)| visit(item, depth + 1, seen).map_err(|error| error.within(key)))
        }
        _ => Ok(()),
    }
}

fn blob(map: &BTreeMap<String, Ipld>) -> Result<Option<BlobRef>, Error> {
    if !matches!(map.get("$type"), Some(Ipld::String(kind)) if kind == "blob") {
        return Ok(legacy_blob(map));
    }
    let (Some(Ipld::Link(cid)), Some(Ipld::String(mime_type)), Some(Ipld::Integer(size))) =
        (map.get("ref"), map.get("mimeType"), map.get("size"))
    else {
        return Err(Error::value("a blob must have ref (a link), mimeType (text) and size (an integer)"));
    };
    let cid = Cid::try_from(cid).map_err(|_| Error::value("a blob's ref must be a CIDv1 with SHA-256"))?;
    let size = i64::try_from(*size)
        .ok()
        .filter(|size| *size >= UNKNOWN_SIZE)
        .ok_or_else(|| Error::value("a blob's size must be 0 or more, or -1 if it is not known"))?;
    Ok(Some(BlobRef { cid, mime_type: mime_type.clone(), size }))
}

/// The legacy form of blob references, until 2023: a map with `cid` and `mimeType` only.
fn legacy_blob(map: &BTreeMap<String, Ipld>) -> Option<BlobRef> {
    match (map.len(), map.get("cid"), map.get("mimeType")) {
        (2, Some(Ipld::String(cid)), Some(Ipld::String(mime_type))) => {
            let cid = cid.parse().ok()?;
            Some(BlobRef { cid, mime_type: mime_type.clone(), size: UNKNOWN_SIZE })
        }
        _ => None,
    }
}
