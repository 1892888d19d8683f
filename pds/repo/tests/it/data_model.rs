//! Conversion of records between JSON and DAG-CBOR.

use bytes::Bytes;
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD};
use pds_repo::{Cid, cbor::Writer, record};
use serde_json::{Value, json};

fn cases(file: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(&super::interop(&format!("atdata/testdata/{file}"))).unwrap();
    assert!(!cases.is_empty());
    cases
}

/// The JSON form of a block.
pub(crate) fn read(bytes: &[u8]) -> Value {
    let mut json = Vec::new();
    record::write_json(bytes, &mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn fixtures_have_the_expected_bytes_and_cid() {
    for case in cases("data-model-fixtures.json") {
        let record = record::from_json(&case["json"]).unwrap();
        let wanted =
            BASE64_NOPAD.decode(case["cbor_base64"].as_str().unwrap().trim_end_matches('=').as_bytes()).unwrap();
        assert_eq!(record.bytes, wanted, "{case}");
        assert_eq!(record.cid.to_string(), case["cid"].as_str().unwrap());
        assert_eq!(record::from_json(&read(&record.bytes)).unwrap().cid, record.cid);
    }
}

#[test]
fn a_record_from_the_network_is_read_and_written_again() {
    let bytes = Bytes::from(super::interop_bytes("atdata/testdata/feedpost_record.cbor"));
    let known = record::from_bytes(bytes.clone()).unwrap();
    let again = record::from_json(&read(&bytes)).unwrap();
    assert_eq!((again.bytes, again.cid), (bytes, known.cid));
}

#[test]
fn other_encodings_of_a_value_are_refused() {
    let refused: [(&str, &[u8]); 14] = [
        ("a float", b"\xa1\x61a\xfb\x3f\xf8\0\0\0\0\0\0"),
        ("a short float", b"\xa1\x61a\xf9\x3c\0"),
        ("not a number", b"\xa1\x61a\xfb\x7f\xf8\0\0\0\0\0\0"),
        ("above 63 bits", b"\xa1\x61a\x1b\x80\0\0\0\0\0\0\0"),
        ("below 63 bits", b"\xa1\x61a\x3b\x80\0\0\0\0\0\0\0"),
        ("a long integer", b"\xa1\x61a\x18\x01"),
        ("a long length", b"\xa1\x78\x01a\x01"),
        ("keys out of order", b"\xa2\x61b\x01\x61a\x01"),
        ("a longer key first", b"\xa2\x62aa\x01\x61b\x01"),
        ("a key twice", b"\xa2\x61a\x01\x61a\x01"),
        ("an open map", b"\xbf\x61a\x01\xff"),
        ("undefined", b"\xa1\x61a\xf7"),
        ("another tag", b"\xa1\x61a\xc1\x01"),
        ("more behind", b"\xa1\x61a\x01\x00"),
    ];
    for (what, bytes) in refused {
        assert!(record::decode(bytes).is_err(), "{what}");
    }
    assert!(record::decode(b"\xa1\x61a\x3b\x7f\xff\xff\xff\xff\xff\xff\xff").is_ok(), "the least of 64 bits");
}

#[test]
fn integers_that_json_readers_would_round_are_refused() {
    for (number, fits) in [
        ("9007199254740991", true),
        ("-9007199254740991", true),
        ("9007199254740991.0", true),
        ("9007199254740992", false),
        ("-9007199254740992", false),
        ("9223372036854775807", false),
        ("18446744073709551615", false),
        ("-9223372036854775808", false),
        ("1e16", false),
        ("1e300", false),
        ("1.5", false),
    ] {
        let json: Value = serde_json::from_str(&format!("{{\"a\":{number}}}")).unwrap();
        assert_eq!(record::from_json(&json).is_ok(), fits, "{number}");
    }
    // Integers above 2^53 in a block are exact, so they are accepted.
    assert!(record::decode(b"\xa1\x61a\x1b\x00\x20\0\0\0\0\0\0").is_ok());
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    // Found by fuzzing: nested lists, each of which claims to have 2^32 - 1 items.
    let bytes = [0x9a, 0xff, 0xff, 0xff, 0xff].repeat(128);
    assert!(record::decode(&bytes).is_err());
}

#[test]
fn a_link_with_more_behind_its_cid_is_refused() {
    let block = |cid: &[u8]| [b"\xa1\x61a\xd8\x2a\x58", &[1 + cid.len() as u8, 0][..], cid].concat();
    let cid = Cid::raw(b"").to_bytes();
    assert!(record::decode(&block(&cid)).is_ok());
    assert!(record::decode(&block(&[&cid[..], b"x"].concat())).is_err());
    assert!(record::decode(&block(&cid[..35])).is_err());

    let link = |cid: &[u8]| json!({"a": {"$link": format!("b{}", BASE32_NOPAD.encode(cid).to_ascii_lowercase())}});
    assert!(record::from_json(&link(&cid)).is_ok());
    assert!(record::from_json(&link(&[&cid[..], b"x"].concat())).is_err());
}

#[test]
fn deep_nesting_is_refused_in_both_forms() {
    for (depth, fits) in [(100, true), (200, false), (100_000, false)] {
        let bytes = [vec![0x81; depth], vec![0x80]].concat();
        assert_eq!(record::decode(&bytes).is_ok(), fits, "{depth} levels of DAG-CBOR");
    }
    let nested = |depth| (0..depth).fold(json!([]), |inner, _| json!([inner]));
    assert!(record::from_json(&json!({"a": nested(100)})).is_ok());
    assert!(record::from_json(&json!({"a": nested(200)})).is_err());
}

#[test]
fn a_refusal_names_the_place() {
    let blob = |size: i64| json!({"$type": "blob", "ref": {"$link": Cid::raw(b"").to_string()}, "mimeType": "image/png", "size": size});
    for (value, place) in [
        (json!({"a": [1, {"b": 1.5}]}), "/a/1/b"),
        (json!({"a": {"$link": "nothing"}}), "/a"),
        (json!({"embed": {"images": [blob(1), blob(-2)]}}), "/embed/images/1"),
    ] {
        let Err(record::Error::Value { path, .. }) = record::from_json(&value) else { panic!("{value} is refused") };
        assert_eq!(path, place);
    }
    // F27
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let refused = record::from_json(&json!({"a": deep})).unwrap_err();
    let record::Error::Value { path, .. } = &refused else { panic!("{refused} says where") };
    assert!(path.starts_with("/a/0/0"), "{path}");
    assert!(refused.to_string().contains("nested too deep: at most 128 levels are allowed"), "{refused}");
    // F7: -1 means that the size is not known, and an object with only `cid` and `mimeType` was a blob until 2023.
    let legacy = json!({"cid": Cid::raw(b"").to_string(), "mimeType": "image/jpeg"});
    let none = [
        json!({"cid": "nothing", "mimeType": "image/jpeg"}),
        json!({"cid": Cid::raw(b"").to_string(), "mimeType": "a/b", "c": 1}),
    ];
    let value = json!({"embed": {"images": [blob(1), blob(-1)], "none": none, "old": [legacy]}});
    let found = record::from_json(&value).unwrap().blobs;
    assert_eq!(found.iter().map(|blob| blob.size).collect::<Vec<_>>(), [1, -1, -1]);
    assert_eq!((found[2].cid, &*found[2].mime_type), (Cid::raw(b""), "image/jpeg"));
}

#[test]
fn a_record_above_a_mebibyte_is_refused() {
    let record = |len| record::from_json(&json!({"a": "x".repeat(len)}));
    assert!(record(record::MAX_BYTES - 8).is_ok());
    assert!(matches!(record(record::MAX_BYTES), Err(record::Error::TooLarge { .. })));
}

#[test]
fn valid_values_pass_and_invalid_ones_do_not() {
    for case in cases("data-model-valid.json") {
        record::from_json(&case["json"]).unwrap_or_else(|error| panic!("{}: {error}", case["note"]));
    }
    for case in cases("data-model-invalid.json") {
        assert!(record::from_json(&case["json"]).is_err(), "{}", case["note"]);
    }
}

/// F8
#[test]
fn a_foreign_record_is_taken_as_far_as_it_can_be_shown() {
    let foreign = |bytes: &[u8]| record::from_foreign_bytes(Bytes::copy_from_slice(bytes));
    let float = |number: f64| [b"\xa2\x61a\x01\x61b\xfb", &number.to_be_bytes()[..]].concat();
    for (number, text) in [(35.5, "35.5"), (-0.0, "-0.0"), (1e300, "1e300"), (5e-324, "5e-324")] {
        let (taken, fault) = foreign(&float(number)).unwrap();
        assert_eq!(fault.unwrap().to_string(), "/b: the data model has no floating-point numbers");
        let mut json = Vec::new();
        record::write_json(&taken.bytes, &mut json).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), format!(r#"{{"a":1,"b":{text}}}"#));
        assert!(record::from_bytes(taken.bytes.clone()).is_err() && record::decode(&taken.bytes).is_err());
    }
    // References are found in records with violations too. A blob in an invalid form is a violation.
    let cid = Cid::raw(b"picture").to_string();
    let blob =
        [&b"\xa3\x61f"[..], &b"\xfb\x40\0\0\0\0\0\0\0"[..], b"\x61o", &legacy(&cid), b"\x61x\xa1\x65$type\x64blob"]
            .concat();
    let (taken, fault) = foreign(&blob).unwrap();
    assert!(fault.is_some());
    assert_eq!(taken.blobs.iter().map(|blob| blob.cid).collect::<Vec<_>>(), [Cid::raw(b"picture")]);
    // A valid record has no violation.
    let good = record::from_json(&json!({"a": 1})).unwrap();
    let (taken, fault) = foreign(&good.bytes).unwrap();
    assert_eq!((taken.cid, fault), (good.cid, None));
    // Records without a JSON form: NaN, not an object, not canonical DAG-CBOR.
    for bytes in [
        &float(f64::NAN)[..],
        &float(f64::INFINITY),
        b"\x01",
        b"",
        b"\xa1\x61a\xf9\x3e\0",
        b"\xa1\x61a\xfb\0",
        b"\xbf\xff",
    ] {
        assert!(foreign(bytes).is_err(), "{bytes:x?}");
    }
}

fn legacy(cid: &str) -> Vec<u8> {
    let mut out = Writer::default();
    out.map(2).text("cid").text(cid).text("mimeType").text("image/png");
    out.into_bytes()
}

#[test]
fn a_block_that_would_take_much_memory_is_not_unpacked() {
    // {"n": [{"": 0}, ...]}: three bytes an object, and its values take more than a kilobyte.
    let block = |n: u32| [&b"\xa1\x61n\x9a"[..], &n.to_be_bytes(), &b"\xa1\x60\x00".repeat(n as usize)].concat();
    for heavy in [block(330_000), block(66_000)] {
        let refused = [
            record::from_bytes(heavy.clone().into()).unwrap_err(),
            record::from_foreign_bytes(heavy.clone().into()).unwrap_err(),
            record::decode(&heavy).unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, record::Error::TooManyValues { .. }), "{error}");
        }
    }
    // A long list of numbers is no danger.
    record::from_bytes([&b"\xa1\x61n\x99\xc3\x50"[..], &vec![0; 50_000]].concat().into()).unwrap();
}

#[test]
fn a_text_is_found_without_its_record() {
    let value = serde_json::json!({"subject": {"cid": "x", "uri": "at://a"}, "a": [{"uri": 1}], "uri": 2, "text": "t"});
    let bytes = record::from_json(&value).unwrap().bytes;
    assert_eq!(record::text_at(&bytes, &["subject", "uri"]), Some("at://a"));
    assert_eq!(record::text_at(&bytes, &["text"]), Some("t"));
    for path in [&["subject"][..], &["uri"], &["none"], &["text", "uri"], &[]] {
        assert_eq!(record::text_at(&bytes, path), None, "{path:?}");
    }
    assert_eq!(record::text_at(&bytes[..9], &["subject", "uri"]), None);
}
