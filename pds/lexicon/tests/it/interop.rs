//! The records in the interop vectors of the protocol.

use std::fs;
use std::path::PathBuf;

use pds_lexicon::{Catalog, Document};
use serde_json::Value;

fn folder() -> PathBuf {
    let root = std::env::var("AURORA_INTEROP_DIR")
        .expect("AURORA_INTEROP_DIR is not set: run `make test`, which fetches the vectors");
    PathBuf::from(root).join("atproto/lexicon/testdata")
}

fn catalog() -> Catalog {
    let files = fs::read_dir(folder().join("catalog")).unwrap();
    let documents = files.map(|file| {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        serde_json::from_str::<Document>(&text).unwrap()
    });
    Catalog::new(documents).unwrap()
}

fn records(file: &str) -> Vec<(String, Value)> {
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(folder().join(file)).unwrap()).unwrap();
    assert!(!cases.is_empty());
    cases.into_iter().map(|case| (case["name"].as_str().unwrap().to_owned(), case["data"].clone())).collect()
}

#[test]
fn valid_records_pass() {
    let (catalog, collection) = (catalog(), "example.lexicon.record".parse().unwrap());
    for (name, record) in records("record-data-valid.json") {
        assert_eq!(catalog.validate_record(&collection, &record), Ok(()), "{name}");
    }
}

#[test]
fn invalid_records_are_refused() {
    let (catalog, collection) = (catalog(), "example.lexicon.record".parse().unwrap());
    for (name, record) in records("record-data-invalid.json") {
        assert!(catalog.validate_record(&collection, &record).is_err(), "{name} passed");
    }
}

#[test]
fn the_key_is_checked() {
    let (catalog, collection) = (catalog(), "example.lexicon.record".parse().unwrap());
    catalog.validate_key(&collection, &"demo".parse().unwrap()).unwrap();
    let error = catalog.validate_key(&collection, &"other".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), r#"rkey must be "demo" as the key of example.lexicon.record, found "other""#);
}
