//! `com.atproto.admin.getAccountInfos`

use crate::on_both;

const METHOD: &str = "com.atproto.admin.getAccountInfos";

on_both!(several_accounts_are_shown_and_unknown_ones_left_out, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let unknown = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    let params = [("dids", alice.did.as_str()), ("dids", unknown), ("dids", &bob.did), ("dids", &alice.did)];
    let infos = pds.admin_query(METHOD, &params).await.ok()["infos"].clone();
    let mut dids: Vec<_> = infos.as_array().unwrap().iter().map(|info| info["did"].as_str().unwrap()).collect();
    dids.sort_unstable();
    let mut expected = [alice.did.as_str(), &bob.did];
    expected.sort_unstable();
    assert_eq!(dids, expected);
    assert!(infos.as_array().unwrap().iter().all(|info| info["email"].is_string()));

    let many = vec![("dids", unknown); 251];
    let refused = pds.admin_query(METHOD, &many).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert!(refused.body["message"].as_str().unwrap().contains("at most 250"), "{}", refused.body);
});
