//! `com.atproto.admin.updateAccountEmail`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.updateAccountEmail";

on_both!(a_new_address_is_good_for_logging_in, |pds| async move {
    let alice = pds.person("alice").await;
    pds.person("bob").await;
    for (account, email) in [(alice.did.as_str(), "New@example.com"), ("alice.pds.test", "newer@example.com")] {
        pds.admin(METHOD, json!({"account": account, "email": email})).await.ok();
        pds.log_in(email, "correct horse").await.ok();
    }
    assert_eq!(pds.log_in("alice@example.com", "correct horse").await.status, 401);
    let refused = |account: &str, email: &str| pds.admin(METHOD, json!({"account": account, "email": email}));
    let taken = refused(&alice.did, "BOB@example.com").await;
    assert_eq!(taken.error(), (400, "InvalidRequest"));
    assert!(taken.body["message"].as_str().unwrap().contains("already in use"), "{}", taken.body);
    assert_eq!(refused(&alice.did, "no address").await.error(), (400, "InvalidRequest"));
    let missing = refused("nobody.pds.test", "x@example.com").await;
    assert_eq!(missing.body["message"], "Account does not exist: nobody.pds.test");
});
