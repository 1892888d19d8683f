//! `com.atproto.identity.getRecommendedDidCredentials`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.identity.getRecommendedDidCredentials";

on_both!(the_credentials_are_those_of_the_document, |pds| async move {
    let alice = pds.person("alice").await;
    let wanted = alice.query(METHOD, &[]).await.ok();
    let document = pds.query("com.atproto.identity.resolveDid", &[("did", &alice.did)]).await.ok()["didDoc"].clone();
    assert_eq!(wanted["alsoKnownAs"], document["alsoKnownAs"]);
    assert_eq!(wanted["rotationKeys"], json!([pds.app.keys.rotation.did_key()]));
    let key = document["verificationMethod"][0]["publicKeyMultibase"].as_str().unwrap();
    assert_eq!(wanted["verificationMethods"], json!({"atproto": format!("did:key:{key}")}));
    let service = json!({"type": "AtprotoPersonalDataServer", "endpoint": "https://pds.test"});
    assert_eq!(wanted["services"], json!({"atproto_pds": service}));
    assert_eq!(pds.query(METHOD, &[]).await.error(), (401, "AuthMissing"));
});
