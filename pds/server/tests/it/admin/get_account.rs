//! `dev.auroralocus.admin.getAccount`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "dev.auroralocus.admin.getAccount";

on_both!(an_administrator_sees_the_state_of_an_account_and_its_suspension, |pds| async move {
    let alice = pds.person("alice").await;
    let ask = async || pds.admin_query(METHOD, &[("did", &alice.did)]).await.ok();
    let plain = ask().await;
    assert_eq!((&plain["did"], &plain["handle"]), (&json!(alice.did), &json!("alice.pds.test")));
    assert_eq!((&plain["active"], plain.get("status"), plain.get("suspension")), (&json!(true), None, None));
    let input = json!({"did": alice.did, "until": "2999-01-01T00:00:00.000Z", "reason": "spam"});
    pds.admin("dev.auroralocus.admin.suspendAccount", input).await.ok();
    let suspended = ask().await;
    assert_eq!((&suspended["active"], &suspended["status"]), (&json!(false), &json!("suspended")));
    assert_eq!(suspended["suspension"], json!({"until": "2999-01-01T00:00:00.000Z", "reason": "spam"}));
    let nobody = pds.admin_query(METHOD, &[("did", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")]).await;
    assert_eq!(nobody.error(), (400, "NotFound"));
});
