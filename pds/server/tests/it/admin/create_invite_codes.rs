//! `dev.auroralocus.admin.createInviteCodes` and `dev.auroralocus.admin.listInviteCodes` (AL-INV-1).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, TestPds},
    on_both,
};

const METHOD: &str = "dev.auroralocus.admin.createInviteCodes";
const LIST: &str = "dev.auroralocus.admin.listInviteCodes";
const HOUR: Duration = Duration::from_secs(3600);

async fn make(pds: &TestPds, change: Value) -> Answer {
    let mut input = json!({"expiresAt": (Timestamp::now() + HOUR).to_string()});
    input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    pds.admin(METHOD, input).await
}

async fn sign_up(pds: &TestPds, name: &str, code: &str) -> Answer {
    let (handle, email) = (format!("{name}.pds.test"), format!("{name}@example.com"));
    pds.sign_up(json!({"handle": handle, "email": email, "password": "correct horse", "inviteCode": code})).await
}

on_both!(a_code_is_good_until_it_expires, |pds| async move {
    let made = make(&pds, json!({"useCount": 3})).await.ok();
    let code = made["codes"][0]["codes"][0].as_str().unwrap();
    sign_up(&pds, "alice", code).await.ok();
    pds.clock.forward(HOUR - Duration::from_secs(60));
    sign_up(&pds, "bob", code).await.ok();
    pds.clock.forward(Duration::from_secs(61));
    let dids = pds.directory.count();
    assert_eq!(sign_up(&pds, "carol", code).await.error(), (400, "InvalidInviteCode"));
    assert_eq!(pds.directory.count(), dids, "no DID before the code is found good");
    sign_up(&pds, "carol", &pds.invite(1).await).await.ok();

    let listed = pds.admin_query(LIST, &[]).await.ok()["codes"].clone();
    let shown = listed.as_array().unwrap().iter().find(|one| one["code"] == code).unwrap();
    assert_eq!((&shown["expiresAt"], shown["uses"].as_array().unwrap().len()), (&made["expiresAt"], 2));
    assert!(listed.as_array().unwrap().iter().any(|one| one.get("expiresAt").is_none()), "the protocol's codes do not");
    // Page by page, as the list of the protocol.
    let mut codes = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let mut params = vec![("limit", "1")];
        params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = pds.admin_query(LIST, &params).await.ok();
        let found = page["codes"].as_array().unwrap().clone();
        if found.is_empty() {
            break;
        }
        codes.extend(found);
        cursor = page["cursor"].as_str().map(str::to_owned);
    }
    assert_eq!(&codes, listed.as_array().unwrap());
});

on_both!(an_owner_sees_codes_until_they_expire, |pds| async move {
    let alice = pds.person("alice").await;
    let own = async |used: &str| {
        let params = [("createAvailable", "false"), ("includeUsed", used)];
        let codes = alice.query("com.atproto.server.getAccountInviteCodes", &params).await.ok()["codes"].clone();
        codes.as_array().unwrap().len()
    };
    let made = make(&pds, json!({"codeCount": 2, "useCount": 2, "forAccounts": [alice.did]})).await.ok();
    assert_eq!(made["codes"][0]["account"], json!(alice.did));
    sign_up(&pds, "bob", made["codes"][0]["codes"][0].as_str().unwrap()).await.ok();
    assert_eq!((own("false").await, own("true").await), (2, 2));
    pds.clock.forward(HOUR + Duration::from_secs(1));
    // The one that was used still tells whom she invited.
    assert_eq!((own("false").await, own("true").await), (0, 1));
});

on_both!(codes_that_cannot_be_made_are_refused, |pds| async move {
    for change in [
        json!({"expiresAt": null}),
        json!({"expiresAt": "2020-01-01T00:00:00.000Z"}),
        json!({"expiresAt": "tomorrow"}),
        json!({"useCount": 0}),
        json!({"useCount": 2_147_483_648_u64}),
        json!({"codeCount": 0}),
        json!({"codeCount": 1_001}),
        json!({"codeCount": 501, "forAccounts": ["did:web:a.test", "did:web:b.test"]}),
        json!({"forAccounts": ["alice"]}),
    ] {
        assert_eq!(make(&pds, change.clone()).await.error(), (400, "InvalidRequest"), "{change}");
    }
    assert_eq!(pds.admin_query(LIST, &[]).await.ok()["codes"], json!([]));
    assert_eq!(pds.admin_query(LIST, &[("sort", "size")]).await.error(), (400, "InvalidRequest"));
});
