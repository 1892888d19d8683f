//! How much memory JSON and DAG-CBOR take when they are unpacked, found before they are.
//!
//! Whoever sends a record chooses what is in it: `{"":0}` has a few bytes, and its value takes some thousand. Reads once, keeps nothing.

use std::fmt;

use ipld_core::ipld::Ipld;
use serde_json::Value;

use crate::cbor::{Invalid, Reader};

/// Maximum memory in bytes that a record, or an input with records, may take while it is unpacked.
pub const MAX_UNPACKED: usize = 32 << 20;

/// A text, and the smallest piece of memory that an allocator gives for what is in it.
const TEXT: usize = size_of::<String>();
const PIECE: usize = 32;
/// Elements for which a list or an object has room as soon as it has one.
const FIRST: usize = 4;
/// An entry of a JSON object: its hash, its place in the table of hashes, key and value.
const ENTRY: usize = 2 * size_of::<u64>() + TEXT + size_of::<Value>();
/// The least part of a map of the data model: a node with room for 11 keys and values. Keys that come in order leave at least 6 in each.
const NODE: usize = 11 * (TEXT + size_of::<Ipld>()) + 2 * size_of::<usize>();
const NODE_FILLED: usize = 6;

/// Memory as JSON: of a value, which may be one of an object that has grown to twice its size, and of what each list and object has besides.
const JSON_VALUE: usize = 2 * (ENTRY + PIECE);
const JSON_LIST: usize = FIRST * size_of::<Value>();
const JSON_OBJECT: usize = FIRST * ENTRY + 2 * PIECE;
/// What the same takes in the data model, which exists beside the JSON while a record is encoded.
const DATA_VALUE: usize = NODE / NODE_FILLED + 2 * PIECE;
const DATA_LIST: usize = FIRST * size_of::<Ipld>();
const DATA_MAP: usize = NODE;

/// The number of values in a text or a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// All values, lists and objects among them.
    pub values: usize,
    /// Values that are lists.
    pub lists: usize,
    /// Values that are objects.
    pub objects: usize,
}

impl Shape {
    /// At least as many values as this JSON has. Text that is no JSON has some number, too.
    #[must_use]
    pub fn of_json(json: &[u8]) -> Self {
        let (mut shape, mut in_text, mut at) = (Self { values: 1, ..Self::default() }, false, 0);
        while let Some(byte) = json.get(at) {
            match byte {
                b'\\' => at += 1,
                b'"' => in_text = !in_text,
                b',' if !in_text => shape.values += 1,
                b'[' if !in_text => {
                    shape.values += 1;
                    shape.lists += 1;
                }
                b'{' if !in_text => {
                    shape.values += 1;
                    shape.objects += 1;
                }
                _ => {}
            }
            at += 1;
        }
        shape
    }

    /// The values of the first item in a block.
    ///
    /// # Errors
    /// If the item is not DAG-CBOR.
    pub fn of_cbor(block: &[u8]) -> Result<Self, Invalid> {
        let (mut shape, mut keys) = (Self::default(), 0_u64);
        Reader::new(block).skip(|major, len| {
            shape.values += 1;
            match major {
                4 => shape.lists += 1,
                5 => {
                    shape.objects += 1;
                    keys = keys.saturating_add(len);
                }
                _ => {}
            }
        })?;
        // Keys are items, but no values.
        shape.values = shape.values.saturating_sub(usize::try_from(keys).unwrap_or(usize::MAX));
        Ok(shape)
    }

    /// Memory in bytes of the values as JSON, without what is in long texts.
    #[must_use]
    pub const fn json_bytes(self) -> usize {
        self.values * JSON_VALUE + self.lists * JSON_LIST + self.objects * JSON_OBJECT
    }

    /// Memory in bytes of a record while it is checked and encoded, without what is in long texts.
    #[must_use]
    pub const fn record_bytes(self) -> usize {
        self.json_bytes() + self.values * DATA_VALUE + self.lists * DATA_LIST + self.objects * DATA_MAP
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values, of which {} are lists and {} objects", self.values, self.lists, self.objects)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::from_json;

    #[test]
    fn values_are_counted_outside_of_texts() {
        for (json, least, most) in
            [(r#"{"a": [1, 2, {"b": "x,[\",{"}]}"#, 5, 6), ("[0,0,0]", 3, 5), (r#"{"a":"\\",}"#, 2, 3)]
        {
            let found = Shape::of_json(json.as_bytes());
            assert!((least..=most).contains(&found.values), "{json}: {found}");
        }
        let found = Shape::of_json(br#"{"a": [1, {"b": "x,[\",{"}], "c": []}"#);
        assert_eq!((found.lists, found.objects), (2, 2));
    }

    #[test]
    fn a_record_has_no_more_values_than_its_json() {
        let value = json!({"a": [1, {"b": "x", "c": {"$link": crate::Cid::raw(b"x")}}], "d": null, "e": {}, "f": true});
        let record = from_json(&value).unwrap();
        let (json, cbor) = (Shape::of_json(value.to_string().as_bytes()), Shape::of_cbor(&record.bytes).unwrap());
        // The map, the list and its two elements, the two values of the second, `d`, `e` and `f`. A link is an item with another in it.
        assert_eq!(cbor, Shape { values: 10, lists: 1, objects: 3 });
        assert!(cbor.values <= json.values && cbor.objects <= json.objects, "{cbor} {json}");
        for broken in
            [&b""[..], b"\x81", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert!(Shape::of_cbor(broken).is_err());
        }
    }

    #[test]
    fn small_objects_count_as_much_as_they_take() {
        // Measured in the program: 2.1 KB for each `{"a":0}` of a record.
        let objects = vec![json!({"a": 0}); 1000];
        let found = Shape::of_json(serde_json::to_string(&objects).unwrap().as_bytes());
        assert!(found.record_bytes() >= 2_100 * objects.len(), "{}", found.record_bytes());
        assert!(found.json_bytes() >= 500 * objects.len(), "{}", found.json_bytes());
        // The reference's largest batch: 200 posts with links and languages. It has to fit.
        let facet = json!({"index": {"byteStart": 1, "byteEnd": 2}, "features": [{"$type": "a", "uri": "b"}]});
        let post = json!({"$type": "c", "text": "d", "createdAt": "e", "langs": ["f"], "facets": vec![facet; 5]});
        let batch = serde_json::to_string(&vec![post; 200]).unwrap();
        assert!(Shape::of_json(batch.as_bytes()).record_bytes() < MAX_UNPACKED);
    }
}
