//! `com.atproto.admin.disableInviteCodes`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.disableInviteCodes";

on_both!(disabled_codes_make_no_accounts, |pds| async move {
    // AL-INV-1
    let alice = pds.person("alice").await;
    let make = async |owner: &str| {
        let input = json!({"useCount": 1, "forAccount": owner});
        pds.admin("com.atproto.server.createInviteCode", input).await.ok()["code"].as_str().unwrap().to_owned()
    };
    let (hers, single, kept) = (make(&alice.did).await, pds.invite(1).await, pds.invite(1).await);
    pds.admin(METHOD, json!({"codes": [single, "never-was"], "accounts": [alice.did]})).await.ok();
    let sign_up = async |code: &str| {
        let input = json!({"handle": "bob.pds.test", "email": "bob@example.com", "password": "p", "inviteCode": code});
        pds.sign_up(input).await
    };
    for code in [&hers, &single] {
        assert_eq!(sign_up(code).await.error(), (400, "InvalidInviteCode"));
    }
    sign_up(&kept).await.ok();
    pds.admin(METHOD, json!({})).await.ok();

    let refused = pds.admin(METHOD, json!({"accounts": ["admin"]})).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert_eq!(refused.body["message"], "cannot disable admin invite codes");
    let many = vec!["x"; 1_001];
    assert_eq!(pds.admin(METHOD, json!({"codes": many})).await.error(), (400, "InvalidRequest"));
});
