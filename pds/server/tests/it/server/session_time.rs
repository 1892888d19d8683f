//! Sessions as time goes by.

use std::time::{Duration, Instant};

use pds_server::job;
use pds_store::{account, session};
use serde_json::json;

use crate::{
    harness::{Answer, Person, TestPds, send},
    on_both,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both!(tokens_end_when_their_time_is_over, |pds| async move {
    let alice = pds.person("alice").await;
    pds.clock.forward(2 * HOUR + Duration::from_secs(1));
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.error(), (400, "ExpiredToken"));

    let refresh = "com.atproto.server.refreshSession";
    let next = alice.with_refresh(refresh, &alice.refresh).await.ok();
    // A used token is good for two hours more, and not for longer.
    pds.clock.forward(HOUR);
    alice.with_refresh(refresh, &alice.refresh).await.ok();
    pds.clock.forward(HOUR);
    assert_eq!(alice.with_refresh(refresh, &alice.refresh).await.error(), (400, "ExpiredToken"));

    pds.clock.forward(90 * DAY);
    let next = next["refreshJwt"].as_str().unwrap();
    assert_eq!(alice.with_refresh(refresh, next).await.error(), (400, "ExpiredToken"));
    assert_eq!(alice.with_refresh("com.atproto.server.deleteSession", next).await.status, 200);
});

on_both!(revoked_access_tokens_fail_on_every_replica, |pds| async move {
    // AL-ACC-3, AL-ACC-4
    let alice = pds.person("alice").await;
    alice.query("com.atproto.server.getSession", &[]).await.ok();
    let stored = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let mut tx = pds.app.db.begin().await.unwrap();
    account::bump_epoch(&mut tx, stored.id).await.unwrap();
    session::revoke_all(&mut tx, stored.id).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(
        alice.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.error(),
        (400, "ExpiredToken")
    );
    // This server did not make the change, as another replica would not have.
    refused(&alice, (400, "ExpiredToken")).await;
});

async fn refused(person: &Person, error: (u16, &str)) {
    assert_eq!(person.query("com.atproto.server.getSession", &[]).await.error(), error);
}

on_both!(a_logout_ends_its_session_everywhere_and_no_other, |one| async move {
    // F12
    let two = one.replica().await;
    let refresh = "com.atproto.server.refreshSession";
    let logout = "com.atproto.server.deleteSession";
    let phone = one.person("alice").await;
    let input = json!({"identifier": phone.handle, "password": "correct horse"});
    let laptop = one.person_of(send(one.post("com.atproto.server.createSession").json(&input)).await.ok());
    let second = one.person_of(phone.at(&two.url).with_refresh(refresh, &phone.refresh).await.ok());
    let third = one.person_of(second.with_refresh(refresh, &second.refresh).await.ok());
    for person in [&phone, &second, &third, &laptop] {
        person.query("com.atproto.server.getSession", &[]).await.ok();
        person.at(&two.url).query("com.atproto.server.getSession", &[]).await.ok();
    }
    // What was lost on the way counts too: an older token of the session, used again in its grace.
    let again = one.person_of(phone.with_refresh(refresh, &phone.refresh).await.ok());

    assert_eq!(third.with_refresh(logout, &third.refresh).await.status, 200);

    for person in [&phone, &second, &third, &again] {
        for pds in [&two, &one] {
            let person = person.at(&pds.url);
            assert_eq!(person.with_refresh(refresh, &person.refresh).await.error(), (400, "ExpiredToken"));
            refused(&person, (400, "ExpiredToken")).await;
            assert_eq!(person.create("com.example.thing", json!({})).await.error(), (400, "ExpiredToken"));
        }
    }
    // The other session neither refreshes nor notices. Logging out twice changes nothing.
    assert_eq!(third.with_refresh(logout, &third.refresh).await.status, 200);
    for pds in [&two, &one] {
        laptop.at(&pds.url).query("com.atproto.server.getSession", &[]).await.ok();
        laptop.at(&pds.url).post("still here").await;
    }
    laptop.with_refresh(refresh, &laptop.refresh).await.ok();
});

on_both!(a_takedown_ends_access_tokens, |pds| async move {
    let alice = pds.person("alice").await;
    alice.query("com.atproto.server.getSession", &[]).await.ok();
    let stored = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_takedown(&mut tx, stored.id, Some("case 1")).await.unwrap();
    tx.commit().await.unwrap();
    // As on a replica that did not make the change.
    refused(&alice, (401, "AccountTakedown")).await;
    let refresh = "com.atproto.server.refreshSession";
    assert_eq!(alice.with_refresh(refresh, &alice.refresh).await.error(), (401, "AccountTakedown"));
});

on_both!(expired_sessions_and_unfinished_sign_ups_are_cleaned_up, |pds| async move {
    // AL-JOB-1
    let alice = pds.person("alice").await;
    let new = account::NewAccount {
        did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
        handle: "bob.pds.test".parse().unwrap(),
        email: Some("bob@example.com".to_owned()),
        password_hash: None,
        signing_key: vec![0],
        created_at: jiff::Timestamp::now().as_microsecond(),
    };
    let mut tx = pds.app.db.begin().await.unwrap();
    account::reserve(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let bob = json!({
        "handle": "bob.pds.test", "email": "bob@example.com", "password": "correct horse", "inviteCode": pds.invite(1).await,
    });
    job::reservations::give_back(pds.app.db.clone(), pds.app.clock.now_us()).await.unwrap();
    assert_eq!(pds.sign_up(bob.clone()).await.error(), (400, "InvalidRequest"), "the other sign-up may still finish");
    pds.clock.forward(Duration::from_secs(11 * 60));
    job::reservations::give_back(pds.app.db.clone(), pds.app.clock.now_us()).await.unwrap();
    pds.sign_up(bob).await.ok();

    let log_in = json!({"identifier": alice.did, "password": "correct horse"});
    pds.clock.forward(80 * DAY);
    let young = send(pds.post("com.atproto.server.createSession").json(&log_in)).await.ok();
    pds.clock.forward(11 * DAY);
    job::sessions::forget_expired(pds.app.db.clone(), pds.app.clock.now_us()).await.unwrap();
    let mut tx = pds.app.db.begin().await.unwrap();
    assert_eq!(session::forget_expired(&mut tx, i64::MAX).await.unwrap(), 1, "only the young one was left");
    tx.rollback().await.unwrap();
    let young = young["refreshJwt"].as_str().unwrap();
    alice.with_refresh("com.atproto.server.refreshSession", young).await.ok();
});

async fn log_in_time(pds: &TestPds, identifier: &str) -> Duration {
    let input = json!({"identifier": identifier, "password": "wrong"});
    let began = Instant::now();
    assert_eq!(send(pds.post("com.atproto.server.createSession").json(&input)).await.status, 401);
    began.elapsed()
}

/// A busy machine makes anything slower and nothing faster, so the best of many tries counts, taken in turns.
#[tokio::test]
async fn an_unknown_account_takes_as_long_as_a_wrong_password() {
    let pds = TestPds::sqlite().await;
    pds.person("alice").await;
    let unknown = ["nobody.pds.test", "nobody@example.com", "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "???"];
    let (mut known, mut best) = (Duration::MAX, [Duration::MAX; 4]);
    for _ in 0..10 {
        known = known.min(log_in_time(&pds, "alice.pds.test").await);
        for (best, identifier) in best.iter_mut().zip(unknown) {
            *best = (*best).min(log_in_time(&pds, identifier).await);
        }
    }
    // Without the work an answer takes a twentieth.
    assert!(best.iter().all(|took| *took * 3 > known), "{best:?} instead of {known:?}");
}

on_both!(tokens_are_refused_in_the_words_of_the_reference, |pds| async move {
    // F32
    let (refresh, get) = ("com.atproto.server.refreshSession", "com.atproto.server.getSession");
    let alice = pds.person("alice").await;
    let of = async |method: &str, token: &str| {
        let request = if method == refresh { pds.post(method) } else { pds.get(method) };
        send(request.bearer_auth(token)).await
    };
    let said = |answer: &Answer| (answer.body["error"].clone(), answer.body["message"].clone());
    let is = |error: &str, message: &str| (json!(error), json!(message));
    assert_eq!(said(&of(get, &alice.refresh).await), is("InvalidToken", "Token could not be verified"));
    assert_eq!(said(&of(refresh, &alice.access).await), is("InvalidToken", "Token could not be verified"));
    for token in ["x", "a.b.c", &format!("{}x", alice.access)] {
        assert_eq!(said(&of(get, token).await), is("InvalidToken", "Token could not be verified"), "{token}");
        assert_eq!(said(&of(refresh, token).await), is("InvalidToken", "Token could not be verified"), "{token}");
    }

    let bob = pds.person("bob").await;
    assert_eq!(bob.with_refresh("com.atproto.server.deleteSession", &bob.refresh).await.status, 200);
    assert_eq!(said(&of(get, &bob.access).await), is("ExpiredToken", "Token has been revoked"));
    assert_eq!(said(&of(refresh, &bob.refresh).await), is("ExpiredToken", "Token has been revoked"));

    pds.clock.forward(90 * DAY + HOUR);
    assert_eq!(said(&of(get, &alice.access).await), is("ExpiredToken", "Token has expired"));
    assert_eq!(said(&of(refresh, &alice.refresh).await), is("ExpiredToken", "Token has expired"));
});
