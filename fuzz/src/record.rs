//! Records in DAG-CBOR and in JSON.
//!
//! Decoding accepts exactly what [`crate::dag_cbor`] accepts. A decoded record is encoded to the same bytes. Conversion to JSON and back does
//! not change a record. A record is the same whether it was read from DAG-CBOR or from JSON.

use bytes::Bytes;
use pds_repo::record::{self, Record};
use serde_json::Value;

use crate::dag_cbor::{Seen, is_valid};

pub(crate) fn check(input: &[u8]) {
    let mut seen = Seen::default();
    let valid = is_valid(input, &mut seen);
    let decoded = record::decode(input);
    assert_eq!(decoded.is_ok(), valid, "{decoded:?}");
    let record = record::from_bytes(Bytes::copy_from_slice(input));
    if let Ok(value) = decoded {
        assert_eq!(serde_ipld_dagcbor::to_vec(&value).expect("a value can be encoded"), input);
        if let Some(json) = read(input)
            && !seen.special_key
            && !seen.large_integer
        {
            match (&record, record::from_json(&json)) {
                (Ok(record), Ok(again)) => same(record, &again),
                (Err(_), Err(_)) => {}
                (one, other) => unreachable!("from its bytes {one:?}, from its JSON {other:?}"),
            }
        }
    } else {
        assert!(record.is_err());
        // The writer of JSON reads stored records only, but must not panic on other bytes.
        let _ = record::write_json(input, &mut Vec::new());
    }
    // An imported record may violate the data model, but it must have a JSON form.
    if let Ok((foreign, fault)) = record::from_foreign_bytes(Bytes::copy_from_slice(input)) {
        assert_eq!(record.is_ok(), fault.is_none(), "{fault:?}");
        record::write_json(&foreign.bytes, &mut Vec::new()).expect("an accepted record has a JSON form");
    } else {
        assert!(record.is_err());
    }
    if let Ok(json) = serde_json::from_slice::<Value>(input)
        && let Ok(record) = record::from_json(&json)
    {
        assert!(is_valid(&record.bytes, &mut Seen::default()));
        same(&record, &record::from_bytes(record.bytes.clone()).expect("a record that was encoded can be decoded"));
        if let Some(json) = read(&record.bytes) {
            same(&record, &record::from_json(&json).expect("a record that was written can be read"));
        }
    }
}

/// The JSON form as a value. `None` if it is nested deeper than the parser supports.
fn read(block: &[u8]) -> Option<Value> {
    let mut json = Vec::new();
    record::write_json(block, &mut json).expect("a valid record has a JSON form");
    match serde_json::from_slice(&json) {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(error.to_string().starts_with("recursion limit exceeded"), "{error}");
            None
        }
    }
}

fn same(one: &Record, other: &Record) {
    assert_eq!((one.cid, &one.bytes, &one.blobs), (other.cid, &other.bytes, &other.blobs));
}
