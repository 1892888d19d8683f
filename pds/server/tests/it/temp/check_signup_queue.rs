//! `com.atproto.temp.checkSignupQueue`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.temp.checkSignupQueue";

on_both!(whoever_has_a_session_waits_for_nothing, |pds| async move {
    let alice = pds.person("alice").await;
    assert_eq!(alice.query(METHOD, &[]).await.ok(), json!({"activated": true}));
    assert_eq!(pds.query(METHOD, &[]).await.error(), (401, "AuthMissing"));
});
