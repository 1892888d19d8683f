//! Records between JSON and DAG-CBOR.

use data_encoding::BASE64_NOPAD;
use pds_repo::record;
use serde_json::Value;

fn cases(file: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(&super::interop(&format!("atdata/testdata/{file}"))).unwrap();
    assert!(!cases.is_empty());
    cases
}

#[test]
fn fixtures_have_the_expected_bytes_and_cid() {
    for case in cases("data-model-fixtures.json") {
        let record = record::from_json(&case["json"]).unwrap();
        let wanted =
            BASE64_NOPAD.decode(case["cbor_base64"].as_str().unwrap().trim_end_matches('=').as_bytes()).unwrap();
        assert_eq!(record.bytes, wanted, "{case}");
        assert_eq!(record.cid.to_string(), case["cid"].as_str().unwrap());
        assert_eq!(record::from_json(&record::to_json(&record.bytes).unwrap()).unwrap().cid, record.cid);
    }
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
