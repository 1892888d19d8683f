//! `dev.auroralocus.server.listSessions` and `revokeSession`, `dev.auroralocus.admin.listSessions` and `revokeSessions`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{harness::Person, on_both};

const LIST: &str = "dev.auroralocus.server.listSessions";
const REVOKE: &str = "dev.auroralocus.server.revokeSession";
const ADMIN_LIST: &str = "dev.auroralocus.admin.listSessions";
const ADMIN_REVOKE: &str = "dev.auroralocus.admin.revokeSessions";
const SESSION: &str = "com.atproto.server.getSession";

async fn sessions(person: &Person) -> Vec<Value> {
    person.query(LIST, &[]).await.ok()["sessions"].as_array().unwrap().clone()
}

fn id(session: &Value) -> String {
    session["id"].as_str().unwrap().to_owned()
}

on_both!(an_owner_sees_each_session_once_and_ends_one, |pds| async move {
    // AL-ACC-3, AL-APP-1
    let alice = pds.person("alice").await;
    pds.person("bob").await;
    let password = alice.app_password("phone", true).await;
    pds.clock.forward(Duration::from_secs(60));
    let phone = pds.person_of(pds.log_in(&alice.did, &password).await.ok());
    pds.clock.forward(Duration::from_secs(60));
    let laptop = pds.person_of(pds.log_in(&alice.did, "correct horse").await.ok());

    let listed = sessions(&alice).await;
    let names: Vec<_> = listed.iter().map(|one| one["appPassword"]["name"].as_str()).collect();
    assert_eq!(names, [None, Some("phone"), None]);
    let current: Vec<_> = listed.iter().map(|one| one["current"] == true).collect();
    assert_eq!(current, [false, false, true]);
    assert_eq!(listed[1]["appPassword"], json!({"name": "phone", "privileged": true}));
    assert!(
        listed.iter().all(
            |one| one["createdAt"] == one["refreshedAt"] && one["expiresAt"].as_str() > one["refreshedAt"].as_str()
        )
    );
    assert_eq!(sessions(&laptop).await[0]["current"], true);

    // A refresh replaces its tokens: it is the same session, also to the access token of before.
    pds.clock.forward(Duration::from_secs(60));
    let refreshed = alice.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.ok();
    for now in [pds.person_of(refreshed), alice.clone()] {
        let listed = sessions(&now).await;
        assert_eq!(listed.len(), 3);
        assert_eq!((id(&listed[0]), &listed[0]["current"]), (id(&sessions(&laptop).await[0]), &json!(true)));
        assert!(listed[0]["createdAt"].as_str() < listed[0]["refreshedAt"].as_str());
    }

    // A program with an app password neither sees nor ends sessions.
    let other = id(&sessions(&alice).await[1]);
    assert_eq!(phone.query(LIST, &[]).await.error(), (400, "InvalidToken"));
    assert_eq!(phone.call(REVOKE, json!({"id": other})).await.error(), (400, "InvalidToken"));

    let ids: Vec<_> = sessions(&alice).await.iter().filter(|one| one["appPassword"].is_object()).map(id).collect();
    alice.call(REVOKE, json!({"id": ids[0]})).await.ok();
    assert_eq!(phone.query(SESSION, &[]).await.error(), (400, "ExpiredToken"));
    assert!(!phone.with_refresh("com.atproto.server.refreshSession", &phone.refresh).await.status.is_success());
    assert_eq!(alice.call(REVOKE, json!({"id": ids[0]})).await.error(), (400, "SessionNotFound"));
    assert_eq!(sessions(&alice).await.len(), 2);
    laptop.query(SESSION, &[]).await.ok();
    // The app password is still there.
    pds.log_in(&alice.did, &password).await.ok();
});

on_both!(sessions_of_others_are_not_to_be_seen_or_ended, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let hers = id(&sessions(&alice).await[0]);
    assert_eq!(bob.call(REVOKE, json!({"id": hers})).await.error(), (400, "SessionNotFound"));
    alice.query(SESSION, &[]).await.ok();
    assert_eq!(pds.query(LIST, &[]).await.error(), (401, "AuthMissing"));
    for input in [json!({}), json!({"id": ""}), json!({"id": "x".repeat(101)}), json!({"id": 1})] {
        assert_eq!(alice.call(REVOKE, input).await.error(), (400, "InvalidRequest"));
    }
});

on_both!(a_list_of_sessions_comes_page_by_page, |pds| async move {
    let alice = pds.person("alice").await;
    for _ in 0..4 {
        pds.clock.forward(Duration::from_secs(1));
        pds.log_in(&alice.did, "correct horse").await.ok();
    }
    let all: Vec<_> = sessions(&alice).await.iter().map(id).collect();
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut params = vec![("limit", "2")];
        params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = alice.query(LIST, &params).await.ok();
        found.extend(page["sessions"].as_array().unwrap().iter().map(id));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    assert_eq!((found.len(), &found), (5, &all));
    for params in [("limit", "0"), ("limit", "101"), ("cursor", "nonsense"), ("cursor", "x::y")] {
        assert_eq!(alice.query(LIST, &[params]).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
});

on_both!(an_administrator_lists_and_ends_sessions_on_every_replica, |pds| async move {
    let other = pds.replica().await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let there = alice.at(&other.url);
    let laptop = pds.person_of(pds.log_in(&alice.did, "correct horse").await.ok());
    let list = async || {
        other.admin_query(ADMIN_LIST, &[("did", &alice.did)]).await.ok()["sessions"].as_array().unwrap().clone()
    };
    let listed = list().await;
    assert_eq!((listed.len(), listed[0].get("current")), (2, None));

    let one = id(&sessions(&laptop).await.into_iter().find(|one| one["current"] == true).unwrap());
    pds.admin(ADMIN_REVOKE, json!({"did": alice.did, "id": one})).await.ok();
    assert_eq!(laptop.at(&other.url).query(SESSION, &[]).await.error(), (400, "ExpiredToken"));
    there.query(SESSION, &[]).await.ok();
    pds.admin(ADMIN_REVOKE, json!({"did": alice.did})).await.ok();
    assert_eq!(there.query(SESSION, &[]).await.error(), (400, "ExpiredToken"));
    assert_eq!(
        there.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.error(),
        (400, "ExpiredToken")
    );
    assert_eq!(list().await, Vec::<Value>::new());
    bob.query(SESSION, &[]).await.ok();
    pds.log_in(&alice.did, "correct horse").await.ok();

    let nobody = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    assert_eq!(pds.admin_query(ADMIN_LIST, &[("did", nobody)]).await.error(), (400, "NotFound"));
    assert_eq!(pds.admin(ADMIN_REVOKE, json!({"did": nobody})).await.error(), (400, "NotFound"));
    let unknown = json!({"did": alice.did, "id": "unknown"});
    assert_eq!(pds.admin(ADMIN_REVOKE, unknown).await.error(), (400, "SessionNotFound"));
});
