//! Lexicons that strangers publish.
//!
//! Any JSON is refused as a lexicon or gives a schema. A schema accepts or refuses any JSON as a record, always with the same answer, and its message
//! is short however long the names are.

use pds_lexicon::{Document, Draft};
use pds_syntax::Nsid;
use serde_json::Value;

/// The documents and the record of an input are separated by this.
const BETWEEN: &str = "\n";
const MESSAGE_BYTES: usize = 16 << 10;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.split(BETWEEN).map(|part| serde_json::from_str::<Value>(part).unwrap_or(Value::Null));
    let Some(record) = parts.next() else { return };
    let documents: Vec<_> = parts.collect();
    let collection: Nsid = "a.b.c".parse().expect("an NSID");
    let mut draft = Draft::new(collection.clone());
    let catalog = loop {
        let Ok(missing) = draft.missing() else { return };
        if missing.is_empty() {
            break draft.finish();
        }
        for nsid in missing {
            let found = documents.iter().find(|document| document["id"] == nsid.as_str());
            let Some(Ok(document)) = found.map(|found| Document::published(&nsid, &found.to_string())) else { return };
            if draft.add(document).is_err() {
                return;
            }
        }
    };
    let Ok(catalog) = catalog else { return };
    assert!(catalog.knows(&collection), "a schema without its collection");
    let first = catalog.validate_record(&collection, &record);
    assert_eq!(first, catalog.validate_record(&collection, &record), "two answers");
    if let Err(error) = first {
        let message = error.to_string();
        assert!(message.len() <= MESSAGE_BYTES, "a message of {} bytes", message.len());
    }
}
