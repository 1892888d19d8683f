//! DID documents in current and old forms.

use std::{fs, path::PathBuf};

use pds_identity::DidDocument;
use serde_json::{Value, json};

use crate::{handle, variable};

fn fixture(file: &str) -> DidDocument {
    let path = PathBuf::from(variable("AURORA_INTEROP_DIR")).join("atproto/identity/testdata").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let document: DidDocument = serde_json::from_str(&text).unwrap();
    // Unknown fields are kept, because clients get the document.
    let wanted: Value = serde_json::from_str(&text).unwrap();
    let kept = serde_json::to_value(&document).unwrap();
    for (field, value) in wanted.as_object().unwrap().iter().filter(|(_, value)| **value != json!([])) {
        assert_eq!(kept[field], *value, "{field} of {file}");
    }
    document
}

#[test]
fn both_key_formats_name_the_same_key() {
    let (today, legacy) = (fixture("did_plc_doc.json"), fixture("did_plc_doc_legacy.json"));
    assert_eq!(today.key("atproto").unwrap(), legacy.key("atproto").unwrap());
    for document in [today, legacy] {
        assert_eq!(document.handle(), Some(handle("atproto.com")));
        assert_eq!(document.pds_endpoint(), Some("https://bsky.social"));
        assert_eq!(document.key("atproto_label"), None);
    }
}

#[test]
fn a_document_without_an_account_has_neither_handle_nor_pds() {
    let web = fixture("did_web_doc.json");
    assert_eq!((web.handle(), web.pds_endpoint(), web.key("atproto")), (None, None, None));
}

#[test]
fn foreign_fragments_other_types_and_unusable_urls_do_not_count() {
    let with = |id: &str, kind: &str, endpoint: Value| -> DidDocument {
        let service = json!({"id": id, "type": kind, "serviceEndpoint": endpoint});
        serde_json::from_value(json!({"id": "did:web:alice.example", "service": [service]})).unwrap()
    };
    let (url, kind) = (json!("https://pds.example"), "AtprotoPersonalDataServer");
    assert_eq!(with("#atproto_pds", kind, url.clone()).pds_endpoint(), Some("https://pds.example"));
    assert!(with("did:web:alice.example#atproto_pds", kind, url.clone()).pds_endpoint().is_some());
    assert_eq!(with("did:web:other.example#atproto_pds", kind, url.clone()).pds_endpoint(), None);
    assert_eq!(with("#atproto_pds", "Other", url).pds_endpoint(), None);
    for unusable in [json!("ftp://pds.example"), json!("pds.example"), json!({"url": "https://pds.example"})] {
        assert_eq!(with("#atproto_pds", kind, unusable).pds_endpoint(), None);
    }
}
