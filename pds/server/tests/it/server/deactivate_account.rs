//! `com.atproto.server.deactivateAccount`

use pds_store::account;
use serde_json::json;

use crate::on_both;

const DEACTIVATE: &str = "com.atproto.server.deactivateAccount";

on_both!(an_account_is_switched_off_and_on, |pds| async move {
    // AL-ACC-5
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let stored = async || account::by_did(&pds.app.db, &did).await.unwrap().unwrap();
    let mut firehose = pds.firehose(None).await;
    for (time, named) in
        [("2020-01-01T00:00:00Z", "in the future"), ("tomorrow", "Input/deleteAfter must be a timestamp")]
    {
        let refused = alice.call(DEACTIVATE, json!({"deleteAfter": time})).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"));
        assert!(refused.body["message"].as_str().unwrap().contains(named), "{}", refused.body);
    }
    assert_eq!(alice.call(DEACTIVATE, json!({"deleteAfter": "2126-01-01T00:00:00.5Z"})).await.status, 200);
    assert_eq!(firehose.next().await.kind, "#account");
    assert_eq!(stored().await.delete_after, Some(4_922_899_200_500_000));
    let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((&session["active"], &session["status"]), (&json!(false), &json!("deactivated")));
    assert_eq!(alice.create("com.example.thing", json!({})).await.error(), (401, "AccountDeactivated"));
    assert_eq!(pds.query("com.atproto.sync.getRepo", &[("did", &alice.did)]).await.error(), (400, "RepoDeactivated"));
    let input = json!({"identifier": alice.handle, "password": "correct horse"});
    let login = crate::harness::send(pds.post("com.atproto.server.createSession").json(&input)).await.ok();
    assert_eq!((&login["active"], &login["status"]), (&json!(false), &json!("deactivated")));

    // A person who changes their mind about the deletion.
    let since = stored().await.deactivated_at;
    assert_eq!(alice.call(DEACTIVATE, json!({})).await.status, 200);
    assert_eq!((stored().await.delete_after, stored().await.deactivated_at), (None, since));
    assert_eq!(alice.bare("com.atproto.server.activateAccount").await.status, 200);
    let kinds: Vec<_> = firehose.take(3).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["#account", "#identity", "#sync"]);
    alice.post("back").await;
});
