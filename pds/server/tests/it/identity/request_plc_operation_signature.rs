//! `com.atproto.identity.requestPlcOperationSignature`

use serde_json::json;

use crate::on_both_mailed;

const REQUEST: &str = "com.atproto.identity.requestPlcOperationSignature";
const SIGN: &str = "com.atproto.identity.signPlcOperation";

on_both_mailed!(the_code_is_mailed, [], |pds, mail| async move {
    // AL-IDN-3, AL-MAIL-2
    let alice = mail.person(&pds, "alice").await;
    mail.nth(&pds, &mail.address("alice"), 1).await;
    assert_eq!(alice.bare(REQUEST).await.status, 200);
    let code = mail.nth(&pds, &mail.address("alice"), 2).await.code();
    alice
        .call(SIGN, json!({"token": code, "alsoKnownAs": ["at://alice.pds.test", "https://alice.example"]}))
        .await
        .ok();
});
