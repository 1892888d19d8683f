//! `dev.auroralocus.admin.restoreAccount`. What comes back, and until when: `server/delete_account.rs`.

use serde_json::{Value, json};

use crate::{harness::TestPds, on_both};

const METHOD: &str = "dev.auroralocus.admin.restoreAccount";

async fn delete(pds: &TestPds, did: &str) {
    pds.admin("com.atproto.admin.deleteAccount", json!({"did": did})).await.ok();
}

async fn restore(pds: &TestPds, account: &str) -> Value {
    pds.admin(METHOD, json!({"account": account})).await.ok()
}

on_both!(an_account_comes_back_as_it_was, |pds| async move {
    // AL-LIFE-2
    let alice = pds.person("alice").await;
    let password = alice.app_password("phone", false).await;
    pds.admin("com.atproto.admin.updateSubjectStatus", json!({
        "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": alice.did}, "takedown": {"applied": true, "ref": "spam"},
    }))
    .await
    .ok();
    delete(&pds, &alice.did).await;
    let restored = restore(&pds, &alice.did).await;
    assert_eq!((&restored["handle"], &restored["status"]), (&json!("alice.pds.test"), &json!("takendown")));
    pds.admin(
        "com.atproto.admin.updateSubjectStatus",
        json!({
            "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": alice.did}, "takedown": {"applied": false},
        }),
    )
    .await
    .ok();
    let phone = pds.person_of(pds.log_in("alice@example.com", &password).await.ok());
    phone.post("back again").await;
});

on_both!(of_several_with_one_handle_the_last_one_comes_back, |pds| async move {
    let first = pds.person("alice").await;
    delete(&pds, &first.did).await;
    pds.clock.forward(std::time::Duration::from_secs(60));
    let second = pds.person("alice").await;
    delete(&pds, &second.did).await;
    assert_eq!(restore(&pds, "alice.pds.test").await["did"], json!(second.did));
    // The first gets another handle, and has lost its address.
    let input = json!({"account": first.did, "handle": "alice1.pds.test"});
    let restored = pds.admin(METHOD, input).await.ok();
    assert_eq!(restored, json!({"did": first.did, "handle": "alice1.pds.test", "lostEmail": true}));
});

on_both!(only_the_administrator_restores_and_only_good_handles_are_taken, |pds| async move {
    let alice = pds.person("alice").await;
    let bob = pds.person("bob").await;
    delete(&pds, &alice.did).await;
    assert_eq!(bob.call(METHOD, json!({"account": alice.did})).await.status, 401);
    for (handle, error) in [("a.b.pds.test", "InvalidHandle"), ("bob.pds.test", "HandleNotAvailable")] {
        let refused = pds.admin(METHOD, json!({"account": alice.did, "handle": handle})).await;
        assert_eq!(refused.error(), (400, error), "{handle}");
    }
    assert_eq!(pds.admin(METHOD, json!({"account": "no handle"})).await.error(), (400, "InvalidRequest"));
    assert_eq!(restore(&pds, &alice.did).await["lostEmail"], false);
});
