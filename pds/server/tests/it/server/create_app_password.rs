//! `com.atproto.server.createAppPassword`, and sessions of app passwords.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::{
    harness::{TestPds, send},
    on_both,
};

const CREATE: &str = "com.atproto.server.createAppPassword";

fn scope_of(token: &str) -> String {
    let body = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).unwrap()).unwrap();
    claims["scope"].as_str().unwrap().to_owned()
}

on_both!(an_app_password_is_shown_once_and_opens_sessions, |pds| async move {
    // AL-APP-1
    let alice = pds.person("alice").await;
    let made = alice.call(CREATE, json!({"name": "a third-party client"})).await.ok();
    assert_eq!((made["name"].as_str(), made["privileged"].as_bool()), (Some("a third-party client"), Some(false)));
    let password = made["password"].as_str().unwrap();
    assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4, 4], "{password}");

    for identifier in ["alice.pds.test", "alice@example.com", &alice.did] {
        let session = pds.person_of(pds.log_in(identifier, password).await.ok());
        assert_eq!(session.did, alice.did);
        assert_eq!(scope_of(&session.access), "com.atproto.appPass");
        session.post("by a client").await;
    }
    let listed = alice.query("com.atproto.server.listAppPasswords", &[]).await.ok();
    assert!(!listed.to_string().contains(password), "{listed}");
    // Of another account it is nothing.
    pds.person("bob").await;
    assert_eq!(pds.log_in("bob.pds.test", password).await.error(), (401, "AuthenticationRequired"));
});

on_both!(the_rights_of_an_app_password_stay_through_refreshes, |pds| async move {
    // AL-APP-2
    let alice = pds.person("alice").await;
    for (privileged, scope) in [(false, "com.atproto.appPass"), (true, "com.atproto.appPassPrivileged")] {
        let password = alice.app_password(scope, privileged).await;
        let mut session = pds.person_of(pds.log_in("alice.pds.test", &password).await.ok());
        for _ in 0..3 {
            assert_eq!(scope_of(&session.access), scope);
            let next = session.with_refresh("com.atproto.server.refreshSession", &session.refresh).await.ok();
            session = pds.person_of(next);
        }
        let session = pds.replica().await.person_of(json!({
            "did": session.did, "handle": session.handle, "accessJwt": session.access, "refreshJwt": session.refresh,
        }));
        assert_eq!(session.query("com.atproto.server.getSession", &[]).await.ok()["did"], json!(alice.did));
        assert_eq!(session.query("com.atproto.sync.getRepo", &[("did", &alice.did)]).await.status, 200);
    }
    assert_eq!(scope_of(&alice.access), "com.atproto.access");
});

/// Methods that ask for a session of the account's password, with an input that would otherwise be good.
fn full_only() -> Vec<(&'static str, bool, Value)> {
    vec![
        (CREATE, true, json!({"name": "another"})),
        ("com.atproto.server.listAppPasswords", false, json!({})),
        ("com.atproto.server.revokeAppPassword", true, json!({"name": "client"})),
        ("com.atproto.server.getAccountInviteCodes", false, json!({})),
        ("com.atproto.server.requestEmailUpdate", true, json!({})),
        ("com.atproto.server.updateEmail", true, json!({"email": "new@example.com"})),
        ("com.atproto.server.requestAccountDelete", true, json!({})),
        ("com.atproto.server.activateAccount", true, json!({})),
        ("com.atproto.server.deactivateAccount", true, json!({})),
        ("com.atproto.repo.importRepo", true, json!({})),
    ]
}

on_both!(an_app_password_may_not_do_what_only_the_owner_may, |pds| async move {
    // AL-APP-2
    let alice = pds.person("alice").await;
    for privileged in [false, true] {
        let password = alice.app_password(&format!("client {privileged}"), privileged).await;
        let session = pds.person_of(pds.log_in("alice.pds.test", &password).await.ok());
        for (method, is_procedure, input) in full_only() {
            let answer = match is_procedure {
                true => session.call(method, input).await,
                false => session.query(method, &[]).await,
            };
            assert_eq!(answer.error(), (400, "InvalidToken"), "{method}: {}", answer.body);
            assert_eq!(answer.body["message"], "Bad token scope", "{method}");
        }
    }
    // Without any credential, and with the wrong kind.
    for (method, is_procedure, input) in full_only() {
        let request = || if is_procedure { pds.post(method).json(&input) } else { pds.get(method) };
        assert_eq!(send(request()).await.error(), (401, "AuthMissing"), "{method}");
        assert_eq!(send(request().bearer_auth(&alice.refresh)).await.error(), (400, "InvalidToken"), "{method}");
    }
});

on_both!(names_of_app_passwords_are_unique_and_limited, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    alice.app_password("client", false).await;
    let again = alice.call(CREATE, json!({"name": "client"})).await;
    assert_eq!(again.error(), (400, "InvalidRequest"), "{}", again.body);
    assert!(again.body["message"].as_str().unwrap().contains("client"), "{}", again.body);
    bob.app_password("client", false).await;
    for name in [String::new(), "x".repeat(129), "line\nfeed".to_owned()] {
        let refused = alice.call(CREATE, json!({"name": name})).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"), "{}", refused.body);
        assert!(refused.body["message"].as_str().unwrap().contains("Input/name"), "{}", refused.body);
    }
    for n in 1..100 {
        alice.app_password(&n.to_string(), false).await;
    }
    let refused = alice.call(CREATE, json!({"name": "one too many"})).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert!(refused.body["message"].as_str().unwrap().contains("100"), "{}", refused.body);
});

on_both!(a_taken_down_account_cannot_be_entered_with_an_app_password, |pds| async move {
    let alice = pds.person("alice").await;
    let password = alice.app_password("client", true).await;
    let before = pds.person_of(pds.log_in("alice.pds.test", &password).await.ok());
    set_takedown(&pds, &alice.did, true).await;
    let input = json!({"identifier": alice.did, "password": password, "allowTakendown": true});
    let refused = send(pds.post("com.atproto.server.createSession").json(&input)).await;
    assert_eq!(refused.error(), (401, "AuthenticationRequired"));
    // With the account's password one gets in, to move elsewhere.
    let input = json!({"identifier": alice.did, "password": "correct horse", "allowTakendown": true});
    let session = send(pds.post("com.atproto.server.createSession").json(&input)).await.ok();
    assert_eq!((session["active"].as_bool(), session["status"].as_str()), (Some(false), Some("takendown")));
    let session = pds.person_of(session);
    assert_eq!(scope_of(&session.access), "com.atproto.takendown");
    assert_eq!(session.call(CREATE, json!({"name": "x"})).await.error(), (400, "InvalidToken"));
    assert_eq!(session.query("com.atproto.sync.getRepo", &[("did", &alice.did)]).await.status, 200);

    // Sessions cannot be refreshed when the account comes back; the app password works again.
    set_takedown(&pds, &alice.did, false).await;
    for person in [&alice, &before] {
        let answer = person.with_refresh("com.atproto.server.refreshSession", &person.refresh).await;
        assert_eq!(answer.error(), (400, "ExpiredToken"), "{}", answer.body);
    }
    pds.log_in("alice.pds.test", &password).await.ok();
});

async fn set_takedown(pds: &TestPds, did: &str, applied: bool) {
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": did});
    let input = json!({"subject": subject, "takedown": {"applied": applied, "ref": "a decision"}});
    pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();
}
