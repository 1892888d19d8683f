//! Rules that neither the interop vectors nor the bundled schemas cover.

use pds_lexicon::{Catalog, Document, LoadError};
use serde_json::{Value, json};

fn load(defs: Value) -> Result<Catalog, LoadError> {
    Catalog::new([serde_json::from_value::<Document>(json!({ "id": "com.example.thing", "defs": defs })).unwrap()])
}

/// Whether `value` is valid as a property with this schema.
fn passes(schema: Value, value: Value) -> bool {
    let record = json!({ "type": "object", "properties": { "it": schema } });
    let other = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } });
    let main = json!({ "type": "record", "key": "any", "record": record });
    let catalog = load(json!({ "main": main, "other": other, "word": { "type": "token" } })).unwrap();
    let collection = "com.example.thing".parse().unwrap();
    catalog.validate_record(&collection, &json!({ "$type": "com.example.thing", "it": value })).is_ok()
}

#[test]
fn booleans_may_be_constant() {
    assert!(passes(json!({ "type": "boolean", "const": true }), json!(true)));
    assert!(!passes(json!({ "type": "boolean", "const": true }), json!(false)));
    assert!(!passes(json!({ "type": "boolean" }), json!(null)));
}

#[test]
fn integers_are_whole_and_fit_64_bits() {
    for (value, expected) in
        [(json!(i64::MIN), true), (json!(i64::MAX as u64 + 1), false), (json!(1.5), false), (json!(1.0), false)]
    {
        assert_eq!(passes(json!({ "type": "integer" }), value.clone()), expected, "{value}");
    }
}

#[test]
fn known_values_and_later_formats_forbid_nothing() {
    assert!(passes(json!({ "type": "string", "knownValues": ["a"] }), json!("b")));
    assert!(passes(json!({ "type": "string", "format": "from-the-future" }), json!("anything")));
}

#[test]
fn lengths_are_utf8_bytes_and_graphemes() {
    let family = "👩‍👩‍👦‍👦";
    assert!(passes(json!({ "type": "string", "maxGraphemes": 1 }), json!(family)));
    assert!(!passes(json!({ "type": "string", "maxLength": 24 }), json!(family)));
    assert!(passes(json!({ "type": "string", "maxLength": 25 }), json!(family)));
    assert!(!passes(json!({ "type": "string", "minGraphemes": 2 }), json!(family)));
}

#[test]
fn links_and_bytes_have_exactly_their_key() {
    let link = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";
    assert!(passes(json!({ "type": "cid-link" }), json!({ "$link": link })));
    assert!(!passes(json!({ "type": "cid-link" }), json!({ "$link": link, "more": 1 })));
    assert!(!passes(json!({ "type": "cid-link" }), json!({ "$link": "bafy" })));
    assert!(passes(json!({ "type": "bytes", "maxLength": 3 }), json!({ "$bytes": "AAAA" })));
    assert!(passes(json!({ "type": "bytes", "maxLength": 1 }), json!({ "$bytes": "AA==" })));
    assert!(!passes(json!({ "type": "bytes" }), json!({ "$bytes": "A" })));
    assert!(!passes(json!({ "type": "bytes" }), json!({ "$bytes": "not base64" })));
}

#[test]
fn a_cid_has_one_text() {
    let format = || json!({ "type": "string", "format": "cid" });
    let link = "bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";
    for (text, valid) in [
        (link.to_owned(), true),
        ("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".to_owned(), true),
        (link.to_ascii_uppercase(), false),
        (link.replacen("bafk", "bAFK", 1), false),
        (format!("{link}aa"), false),
        ("f01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(), false),
    ] {
        assert_eq!(passes(format(), json!(text)), valid, "{text}");
        assert_eq!(passes(json!({ "type": "cid-link" }), json!({ "$link": text })), valid, "{text}");
    }
}

#[test]
fn legacy_blobs_and_wrong_references_are_no_blobs() {
    let link = json!({ "$link": "bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq" });
    let blob = json!({ "$type": "blob", "ref": link, "mimeType": "image/png", "size": 3 });
    assert!(passes(json!({ "type": "blob", "accept": ["*/*"] }), blob.clone()));
    assert!(passes(json!({ "type": "blob", "accept": ["text/plain", "image/*"], "maxSize": 3 }), blob.clone()));
    assert!(!passes(json!({ "type": "blob", "accept": ["image/jpeg"] }), blob));
    assert!(!passes(json!({ "type": "blob" }), json!({ "cid": link["$link"], "mimeType": "image/png" })));
    assert!(!passes(
        json!({ "type": "blob" }),
        json!({ "$type": "blob", "ref": link, "mimeType": "image/png", "size": -2 })
    ));
}

#[test]
fn an_open_union_checks_what_it_knows() {
    let open = json!({ "type": "union", "refs": ["#other"] });
    assert!(passes(open.clone(), json!({ "$type": "com.example.thing#other", "n": 1 })));
    assert!(!passes(open.clone(), json!({ "$type": "com.example.thing#other" })));
    assert!(passes(open.clone(), json!({ "$type": "com.example.elsewhere" })));
    assert!(!passes(open, json!({ "n": 1 })));
    let closed = json!({ "type": "union", "refs": ["#other"], "closed": true });
    assert!(!passes(closed, json!({ "$type": "com.example.elsewhere" })));
}

#[test]
fn a_token_is_no_value() {
    assert!(!passes(json!({ "type": "ref", "ref": "#word" }), json!("com.example.thing#word")));
}

#[test]
fn uris_have_a_scheme_and_no_blanks() {
    let uri = json!({ "type": "string", "format": "uri" });
    for good in ["https://example.com/a?b#c", "mailto:a@b.c", "did:plc:abc", "at://x", "git+ssh://host/x", "file:///x"]
    {
        assert!(passes(uri.clone(), json!(good)), "{good}");
    }
    for bad in ["", "example.com", "https://", "https://a b", "1a://x", ":x", "https://a\u{a0}b"] {
        assert!(!passes(uri.clone(), json!(bad)), "{bad}");
    }
}

#[test]
fn a_catalog_with_holes_is_refused() {
    let record = |schema: Value| {
        let record = json!({ "type": "object", "properties": { "it": schema } });
        json!({ "main": { "type": "record", "key": "any", "record": record }, "loop": { "type": "ref", "ref": "#loop" } })
    };
    let dangling = load(json!({ "a": { "type": "array", "items": { "type": "ref", "ref": "com.example.nowhere" } } }));
    assert!(matches!(dangling, Err(LoadError::Dangling { .. })), "{dangling:?}");
    let chained = load(record(json!({ "type": "ref", "ref": "#loop" })));
    assert!(matches!(chained, Err(LoadError::Chained { .. })), "{chained:?}");
    let key = load(json!({ "main": { "type": "record", "key": "odd", "record": { "type": "object" } } }));
    assert!(matches!(key, Err(LoadError::KeyType { .. })), "{key:?}");
}
