//! `com.atproto.repo.putRecord`

use serde_json::json;

use crate::on_both;

on_both!(a_record_is_made_or_replaced_under_its_key, |pds| async move {
    let alice = pds.person("alice").await;
    let put = async |input: serde_json::Value| {
        let mut whole =
            json!({"repo": alice.did, "collection": "com.example.thing", "rkey": "self", "record": {"n": 1}});
        whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        alice.call("com.atproto.repo.putRecord", whole).await
    };
    let first = put(json!({})).await.ok();
    let second = put(json!({"record": {"n": 2}, "swapRecord": first["cid"]})).await.ok();
    assert_ne!(first["cid"], second["cid"]);
    assert_eq!(put(json!({"swapRecord": first["cid"]})).await.error(), (400, "InvalidSwap"));
    assert_eq!(put(json!({"rkey": "not/one"})).await.error(), (400, "InvalidRequest"));
    assert_eq!(put(json!({"record": "no object"})).await.error(), (400, "InvalidRequest"));
});
