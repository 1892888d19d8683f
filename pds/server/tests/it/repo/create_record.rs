//! `com.atproto.repo.createRecord`

use serde_json::json;

use crate::on_both;

on_both!(a_record_gets_a_key_and_its_type, |pds| async move {
    let alice = pds.person("alice").await;
    let made = alice.create("com.example.thing", json!({"n": 1})).await.ok();
    let (uri, cid) = (made["uri"].as_str().unwrap(), &made["cid"]);
    let rkey = uri.rsplit('/').next().unwrap();
    assert_eq!(rkey.len(), 13, "{uri}");
    let params = [("repo", alice.did.as_str()), ("collection", "com.example.thing"), ("rkey", rkey)];
    let read = pds.query("com.atproto.repo.getRecord", &params).await.ok();
    assert_eq!((&read["cid"], &read["value"]), (cid, &json!({"n": 1, "$type": "com.example.thing"})));
    let again = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": rkey, "record": {}});
    assert_eq!(alice.call("com.atproto.repo.createRecord", again).await.status, 400);
    for rkey in ["..", "with/slash", ""] {
        let input = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": rkey, "record": {}});
        assert_eq!(alice.call("com.atproto.repo.createRecord", input).await.error(), (400, "InvalidRequest"), "{rkey}");
    }
});
