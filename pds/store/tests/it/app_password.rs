//! App passwords and their sessions.

use pds_store::{
    Error,
    account::{self, Question},
    app_password::{self, AppPassword, Kind, NewAppPassword},
    session::{self, AppSession, RefreshToken, Rotation},
};

use crate::harness::{Alice, Store, T0, on_both};

on_both!(
    an_app_password_is_found_by_its_digest_in_its_account,
    a_name_is_used_once_in_an_account,
    a_session_keeps_its_app_password_and_ends_with_it,
    nobody_logs_in_with_a_revoked_app_password,
    a_refresh_under_way_does_not_survive_the_revocation,
    a_login_under_way_does_not_survive_the_revocation,
    the_previous_release_cannot_refresh_a_session_of_an_app_password,
    a_session_keeps_the_limits_of_its_app_password_and_a_release_that_knows_none_cannot_refresh_it,
);

const HOUR: i64 = 3_600_000_000;

async fn make(store: &Store, alice: &Alice, name: &str, privileged: bool) -> AppPassword {
    let digest = name.as_bytes();
    let new = NewAppPassword {
        account_id: alice.id,
        name,
        kind: Kind::Keyed,
        digest,
        privileged,
        scopes: None,
        created_at: T0,
    };
    let mut tx = store.begin().await;
    app_password::create(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    app_password::find(&store.db, alice.id, Kind::Keyed, digest).await.unwrap().unwrap()
}

fn token(alice: &Alice, app_password: &AppPassword, jti: &str) -> RefreshToken {
    let app_password = Some(AppSession {
        id: app_password.id,
        privileged: app_password.privileged,
        scopes: app_password.scopes.clone(),
    });
    let (jti, account_id, expires_at) = (jti.to_owned(), alice.id, T0 + 100 * HOUR);
    RefreshToken { jti, account_id, created_at: T0, expires_at, next_jti: None, app_password }
}

async fn log_in(store: &Store, alice: &Alice, app_password: &AppPassword, jti: &str) -> pds_store::Result<()> {
    let mut tx = store.begin().await;
    session::create(&mut tx, &token(alice, app_password, jti)).await?;
    tx.commit().await
}

async fn revoke(store: &Store, alice: &Alice, name: &str) -> bool {
    let mut tx = store.begin().await;
    let revoked = session::revoke_app_password(&mut tx, alice.id, name, T0 + HOUR).await.unwrap();
    tx.commit().await.unwrap();
    revoked
}

fn rotation<'a>(jti: &'a str, next_jti: &'a str) -> Rotation<'a> {
    Rotation { jti, next_jti, now: T0, grace: HOUR, expires_at: T0 + 100 * HOUR }
}

async fn refresh(store: &Store, jti: &str, next_jti: &str) -> Option<RefreshToken> {
    let mut tx = store.begin().await;
    let next = session::rotate(&mut tx, &rotation(jti, next_jti)).await.unwrap();
    tx.commit().await.unwrap();
    next
}

async fn has_ended(store: &Store, alice: &Alice, jti: &str) -> bool {
    let question = Question { did: alice.did.clone(), session: Some(jti.to_owned()) };
    account::current(&store.db, vec![question]).await.unwrap().remove(0).unwrap().session_ended
}

async fn an_app_password_is_found_by_its_digest_in_its_account(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    let made = make(&store, &alice, "phone", true).await;
    assert_eq!((made.name.as_str(), made.privileged, made.created_at), ("phone", true, T0));
    let find = async |id, kind, digest: &[u8]| app_password::find(&store.db, id, kind, digest).await.unwrap();
    assert_eq!(find(bob.id, Kind::Keyed, b"phone").await, None);
    assert_eq!(find(alice.id, Kind::Scrypt, b"phone").await, None);
    assert_eq!(app_password::list(&store.db, alice.id).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(app_password::count(&store.db, alice.id, Kind::Keyed).await.unwrap(), 1);

    let mut tx = store.begin().await;
    app_password::set_digest(&mut tx, made.id, Kind::Scrypt, b"other").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(alice.id, Kind::Scrypt, b"other").await, Some(made));
    assert_eq!(app_password::count(&store.db, alice.id, Kind::Keyed).await.unwrap(), 0);
}

async fn a_name_is_used_once_in_an_account(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    make(&store, &alice, "phone", true).await;
    make(&store, &bob, "phone", false).await;
    let (account_id, kind) = (alice.id, Kind::Keyed);
    let new = NewAppPassword {
        account_id,
        name: "phone",
        kind,
        digest: b"x",
        privileged: false,
        scopes: None,
        created_at: T0,
    };
    let mut tx = store.begin().await;
    let again = app_password::create(&mut tx, &new).await;
    assert!(matches!(again, Err(Error::AppPasswordExists)), "{again:?}");
}

async fn a_session_keeps_its_app_password_and_ends_with_it(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let (phone, desktop) = (make(&store, &alice, "phone", true).await, make(&store, &alice, "desktop", false).await);
    log_in(&store, &alice, &phone, "p1").await.unwrap();
    log_in(&store, &alice, &desktop, "d1").await.unwrap();
    for (jti, next, app_password) in [("p1", "p2", &phone), ("p2", "p3", &phone), ("d1", "d2", &desktop)] {
        let next = refresh(&store, jti, next).await.unwrap();
        assert_eq!(
            next.app_password,
            Some(AppSession {
                id: app_password.id,
                privileged: app_password.privileged,
                scopes: app_password.scopes.clone()
            })
        );
    }

    assert!(revoke(&store, &alice, "phone").await);
    assert!(!revoke(&store, &alice, "phone").await);

    for jti in ["p1", "p2", "p3"] {
        assert!(has_ended(&store, &alice, jti).await, "{jti}");
        assert_eq!(refresh(&store, jti, "p4").await, None, "{jti}");
    }
    assert!(!has_ended(&store, &alice, "d1").await);
    assert!(refresh(&store, "d2", "d3").await.is_some());
}

async fn nobody_logs_in_with_a_revoked_app_password(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let phone = make(&store, &alice, "phone", false).await;
    revoke(&store, &alice, "phone").await;
    let refused = log_in(&store, &alice, &phone, "p1").await;
    assert!(matches!(refused, Err(Error::AppPasswordRevoked { id }) if id == phone.id), "{refused:?}");
    assert!(session::get(&store.db, "p1").await.unwrap().is_none());
}

/// Begins a revocation while `open` is not committed, and commits it once the revocation waits (or, on SQLite, cannot begin).
async fn revoke_during(store: &Store, alice: &Alice, open: pds_store::Tx) {
    let (other, alice) = (store.clone(), alice.clone());
    let revocation = tokio::spawn(async move { assert!(revoke(&other, &alice, "phone").await) });
    store.until_somebody_waits().await;
    open.commit().await.unwrap();
    revocation.await.unwrap();
}

async fn a_refresh_under_way_does_not_survive_the_revocation(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let phone = make(&store, &alice, "phone", false).await;
    log_in(&store, &alice, &phone, "p1").await.unwrap();
    let mut open = store.begin().await;
    session::rotate(&mut open, &rotation("p1", "p2")).await.unwrap().unwrap();
    revoke_during(&store, &alice, open).await;
    assert!(session::get(&store.db, "p2").await.unwrap().is_none());
    assert!(has_ended(&store, &alice, "p2").await);
}

async fn a_login_under_way_does_not_survive_the_revocation(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let phone = make(&store, &alice, "phone", false).await;
    let mut open = store.begin().await;
    session::create(&mut open, &token(&alice, &phone, "p1")).await.unwrap();
    revoke_during(&store, &alice, open).await;
    assert!(session::get(&store.db, "p1").await.unwrap().is_none());
    assert!(has_ended(&store, &alice, "p1").await);
}

/// It would give the session all rights of the account.
async fn the_previous_release_cannot_refresh_a_session_of_an_app_password(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let phone = make(&store, &alice, "phone", false).await;
    log_in(&store, &alice, &phone, "p1").await.unwrap();
    let previous = "update refresh_token set next_jti = 'p2', expires_at = expires_at - 1 where jti = 'p1'";
    assert!(store.try_sql(previous).await.is_err());
    assert_eq!(session::get(&store.db, "p1").await.unwrap().unwrap().next_jti, None);
}

/// AL-APP-2
async fn a_session_keeps_the_limits_of_its_app_password_and_a_release_that_knows_none_cannot_refresh_it(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let (name, scopes) = ("limited", Some("repo:a.b.c blob:*/*"));
    let new = NewAppPassword {
        account_id: alice.id,
        name,
        kind: Kind::Keyed,
        digest: b"limited",
        privileged: false,
        scopes,
        created_at: T0,
    };
    let mut tx = store.begin().await;
    app_password::create(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let made = app_password::find(&store.db, alice.id, Kind::Keyed, b"limited").await.unwrap().unwrap();
    assert_eq!((made.scopes.as_deref(), &app_password::list(&store.db, alice.id).await.unwrap()[0]), (scopes, &made));
    log_in(&store, &alice, &made, "l1").await.unwrap();
    for (jti, next) in [("l1", "l2"), ("l1", "l2"), ("l2", "l3")] {
        let next = refresh(&store, jti, next).await.unwrap();
        assert_eq!(next.app_password.unwrap().scopes.as_deref(), scopes);
    }
    let listed = session::page(&store.db, alice.id, T0, None, 10).await.unwrap();
    assert_eq!(listed[0].scopes.as_deref(), scopes);

    let previous = "update refresh_token set next_jti = 'l4', rotations = rotations + 1 where jti = 'l3'";
    let refused = store.try_sql(previous).await.unwrap_err().to_string();
    assert!(refused.contains("by a newer release"), "{refused}");
}
