//! `com.atproto.identity.signPlcOperation`

use std::{sync::Arc, sync::atomic::Ordering};

use pds_crypto::SigningKey;
use pds_identity::plc;
use pds_store::email_token::Purpose;
use serde_json::{Value, json};

use crate::{
    harness::{Database, TestPds, send},
    on_both,
    server::directory::directory,
};

const SIGN: &str = "com.atproto.identity.signPlcOperation";
const SUBMIT: &str = "com.atproto.identity.submitPlcOperation";

async fn signs(pds: TestPds, directory: Arc<dyn plc::Directory>) {
    // AL-IDN-3
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let last = async || directory.last(&did).await.unwrap();
    let (own, host) = (SigningKey::generate().did_key(), pds.app.keys.rotation.did_key());
    let missing = alice.call(SIGN, json!({"rotationKeys": [own, host]})).await;
    assert_eq!(missing.body["message"], "email confirmation token required to sign PLC operations");

    let token = pds.code(&alice, Purpose::PlcOperation).await;
    let sign = async |field: &str, value: Value| {
        let mut input = json!({"token": token});
        input[field] = value;
        alice.call(SIGN, input).await
    };
    for (field, value, message) in [
        ("rotationKeys", json!([]), "Invalid operation: rotationKeys must have 1 to 10 entries, found 0"),
        ("rotationKeys", json!([own, own]), "Invalid operation: rotationKeys/1 must not be there twice"),
        ("alsoKnownAs", json!([""]), "Invalid operation: alsoKnownAs/0 must have 1 to 256 bytes, found 0"),
        (
            "verificationMethods",
            json!({"atproto": 1}),
            "Invalid operation: verificationMethods/atproto must be a did:key",
        ),
        ("services", json!({"x": {"type": "y"}}), "Invalid operation: services/x/endpoint must be a string"),
    ] {
        let refused = sign(field, value).await;
        assert_eq!((refused.error(), refused.body["message"].as_str()), ((400, "InvalidRequest"), Some(message)));
    }
    let refused = alice.call(SIGN, json!({"token": "AAAAA-AAAAA", "rotationKeys": [own, host]})).await;
    assert_eq!(refused.error(), (400, "InvalidToken"));

    // None of them has used the code up.
    let signed = sign("rotationKeys", json!([own, host])).await.ok();
    assert_eq!(signed["operation"]["rotationKeys"], json!([own, host]));
    assert_eq!(signed["operation"]["prev"], json!(last().await.cid));
    assert_eq!(sign("rotationKeys", json!([host])).await.error(), (400, "InvalidToken"));
    let mut firehose = pds.firehose(None).await;
    assert_eq!(alice.call(SUBMIT, signed).await.status, 200);
    assert_eq!(last().await.operation.rotation_keys, [own, host]);
    assert_eq!(firehose.next().await.kind, "#identity");
}

on_both!(an_operation_is_signed_with_a_code, |pds| async move {
    let directory = pds.directory.clone();
    signs(pds, directory).await;
});

#[tokio::test]
async fn a_real_directory_takes_what_was_signed() {
    let (_, directory) = directory();
    signs(TestPds::on_with_directory(Database::sqlite(), directory.clone()).await, directory).await;
}

on_both!(who_was_taken_down_signs_and_leaves, |pds| async move {
    let alice = pds.person("alice").await;
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let takedown = json!({"subject": subject, "takedown": {"applied": true}});
    pds.admin("com.atproto.admin.updateSubjectStatus", takedown).await.ok();
    let login = json!({"identifier": alice.handle, "password": "correct horse", "allowTakendown": true});
    let session = send(pds.post("com.atproto.server.createSession").json(&login)).await.ok();
    let alice = pds.person_of(session);
    let token = pds.code(&alice, Purpose::PlcOperation).await;
    let key = SigningKey::generate().did_key();
    alice.call(SIGN, json!({"token": token, "rotationKeys": [key]})).await.ok();
    assert_eq!(alice.query("com.atproto.sync.getRepo", &[("did", &alice.did)]).await.status, 200);
    assert_eq!(alice.call("com.atproto.server.deactivateAccount", json!({})).await.status, 200);
    assert_eq!(alice.call(SUBMIT, json!({"operation": {}})).await.error(), (400, "InvalidToken"));
});

on_both!(without_the_directory_the_code_stays_good, |pds| async move {
    // AL-IDN-4
    let alice = pds.person("alice").await;
    let token = pds.code(&alice, Purpose::PlcOperation).await;
    let input = json!({"token": token, "alsoKnownAs": ["at://alice.pds.test"]});
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(alice.call(SIGN, input.clone()).await.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    alice.call(SIGN, input).await.ok();
});
