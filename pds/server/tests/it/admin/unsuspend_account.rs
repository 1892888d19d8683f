//! `dev.auroralocus.admin.unsuspendAccount`: its effects stand in `suspend_account`.

use serde_json::json;

use crate::on_both;

const METHOD: &str = "dev.auroralocus.admin.unsuspendAccount";

on_both!(an_account_that_is_not_suspended_stays_as_it_is, |pds| async move {
    let alice = pds.person("alice").await;
    let before = pds_store::event::head(&pds.app.db).await.unwrap();
    pds.admin(METHOD, json!({"did": alice.did})).await.ok();
    assert_eq!(pds_store::event::head(&pds.app.db).await.unwrap(), before);
    let nobody = json!({"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"});
    assert_eq!(pds.admin(METHOD, nobody).await.error(), (400, "NotFound"));
    assert_eq!(alice.call(METHOD, json!({"did": alice.did})).await.status, 401);
});
