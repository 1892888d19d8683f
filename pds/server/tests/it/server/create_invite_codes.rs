//! `com.atproto.server.createInviteCodes`

use serde_json::json;

use crate::on_both;

on_both!(codes_are_made_for_each_account, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let make = async |input| pds.admin("com.atproto.server.createInviteCodes", input).await;
    let input = json!({"codeCount": 2, "useCount": 1, "forAccounts": [alice.did, bob.did]});
    let made = make(input).await.ok()["codes"].clone();
    for (of, person) in made.as_array().unwrap().iter().zip([&alice, &bob]) {
        assert_eq!((&of["account"], of["codes"].as_array().unwrap().len()), (&json!(person.did), 2));
        let own = person.query("com.atproto.server.getAccountInviteCodes", &[]).await.ok()["codes"].clone();
        assert_eq!(own.as_array().unwrap().len(), 2);
    }
    let made = make(json!({"codeCount": 1, "useCount": 1})).await.ok()["codes"].clone();
    assert_eq!(made[0]["account"], "admin");
    // One code unless the input says more.
    assert_eq!(make(json!({"useCount": 1})).await.ok()["codes"][0]["codes"].as_array().unwrap().len(), 1);
    for input in [json!({"codeCount": 1}), json!({"codeCount": 1001, "useCount": 1})] {
        assert_eq!(make(input.clone()).await.error(), (400, "InvalidRequest"), "{input}");
    }
});
