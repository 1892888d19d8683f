//! `com.atproto.server.createInviteCode`

use serde_json::json;

use crate::on_both;

on_both!(a_code_has_uses_and_perhaps_an_owner, |pds| async move {
    let alice = pds.person("alice").await;
    let make = async |input| pds.admin("com.atproto.server.createInviteCode", input).await;
    let code = make(json!({"useCount": 1, "forAccount": alice.did})).await.ok()["code"].as_str().unwrap().to_owned();
    let parts: Vec<_> = code.rsplitn(3, '-').collect();
    assert_eq!((parts[0].len(), parts[1].len(), parts[2]), (5, 5, "pds-test"), "{code}");
    for input in [
        json!({}),
        json!({"useCount": 0}),
        json!({"useCount": -1}),
        json!({"useCount": "1"}),
        json!({"useCount": 1, "forAccount": "alice"}),
    ] {
        assert_eq!(make(input.clone()).await.error(), (400, "InvalidRequest"), "{input}");
    }
});
