//! `com.atproto.server.describeServer`

use serde_json::json;

use crate::on_both;

on_both!(the_host_says_who_it_is, |pds| async move {
    let described = pds.query("com.atproto.server.describeServer", &[]).await.ok();
    assert_eq!(
        (&described["did"], &described["availableUserDomains"]),
        (&json!("did:web:pds.test"), &json!([".pds.test"]))
    );
    assert_eq!(
        (&described["inviteCodeRequired"], &described["links"], &described["contact"]),
        (&json!(true), &json!({}), &json!({}))
    );
});
