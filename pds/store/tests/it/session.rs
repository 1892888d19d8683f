//! Refresh tokens and their rotation.

use pds_store::{
    Tx,
    account::{self, Question},
    session::{self, RefreshToken, Rotation},
};

use tokio::task::JoinHandle;

use crate::harness::{Alice, Store, T0, on_both};

on_both!(
    a_token_is_replaced_by_its_successor,
    a_token_used_again_in_its_grace_names_the_same_successor,
    a_token_is_not_good_beyond_its_grace_nor_its_end,
    many_at_once_get_the_same_successor,
    a_revoked_session_does_not_come_back,
    a_logout_ends_the_whole_family,
    a_logout_during_a_refresh_ends_both,
    a_logout_after_thousands_of_refreshes_ends_them_all,
    all_sessions_of_an_account_end,
    all_sessions_end_during_a_refresh,
    a_session_keeps_its_name_and_beginning_while_it_is_refreshed,
    sessions_are_listed_page_by_page,
    expired_tokens_are_forgotten,
);

const HOUR: i64 = 3_600_000_000;
const GRACE: i64 = 2 * HOUR;
const LIFE: i64 = 90 * 24 * HOUR;

async fn log_in(store: &Store, alice: &Alice, jti: &str) {
    let token = RefreshToken {
        jti: jti.to_owned(),
        account_id: alice.id,
        created_at: T0,
        expires_at: T0 + LIFE,
        next_jti: None,
        app_password: None,
    };
    let mut tx = store.begin().await;
    session::create(&mut tx, &token).await.unwrap();
    tx.commit().await.unwrap();
}

async fn refresh(store: &Store, jti: &str, next_jti: &str, now: i64) -> Option<String> {
    let mut tx = store.begin().await;
    let rotation = Rotation { jti, next_jti, now, grace: GRACE, expires_at: now + LIFE };
    let token = session::rotate(&mut tx, &rotation).await.unwrap();
    tx.commit().await.unwrap();
    token.map(|token| token.jti)
}

async fn a_token_is_replaced_by_its_successor(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "first").await;

    assert_eq!(refresh(&store, "first", "second", T0 + HOUR).await.as_deref(), Some("second"));

    let second = session::get(&store.db, "second").await.unwrap().unwrap();
    assert_eq!((second.account_id, second.expires_at), (alice.id, T0 + HOUR + LIFE));
    let first = session::get(&store.db, "first").await.unwrap().unwrap();
    assert_eq!((first.expires_at, first.next_jti.as_deref()), (T0 + HOUR + GRACE, Some("second")));
}

async fn a_token_used_again_in_its_grace_names_the_same_successor(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "first").await;
    refresh(&store, "first", "second", T0).await;

    assert_eq!(refresh(&store, "first", "third", T0 + HOUR).await.as_deref(), Some("second"));

    assert_eq!(session::get(&store.db, "third").await.unwrap(), None);
    let first = session::get(&store.db, "first").await.unwrap().unwrap();
    assert_eq!(first.expires_at, T0 + GRACE, "using it again must not prolong it");
}

async fn a_token_is_not_good_beyond_its_grace_nor_its_end(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "first").await;
    log_in(&store, &alice, "other").await;
    refresh(&store, "first", "second", T0).await;

    assert_eq!(refresh(&store, "first", "third", T0 + GRACE).await, None);
    assert_eq!(refresh(&store, "other", "fourth", T0 + LIFE).await, None);
    assert_eq!(refresh(&store, "unknown", "fifth", T0).await, None);
    // Near its end the grace is what is left of it.
    refresh(&store, "other", "fourth", T0 + LIFE - 1).await;
    assert_eq!(session::get(&store.db, "other").await.unwrap().unwrap().expires_at, T0 + LIFE);
}

async fn many_at_once_get_the_same_successor(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "first").await;

    let tries = (0..10).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { refresh(&store, "first", &format!("next{n}"), T0).await.unwrap() })
    });
    let mut successors: Vec<String> = futures::future::join_all(tries).await.into_iter().map(Result::unwrap).collect();
    successors.dedup();

    assert_eq!(successors.len(), 1, "{successors:?}");
}

/// Its cost was cubic in the number of refreshes, in a transaction that other writers waited for.
async fn a_logout_after_thousands_of_refreshes_ends_them_all(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "0").await;
    let mut tx = store.begin().await;
    for n in 0..5_000 {
        let (jti, next_jti) = (n.to_string(), (n + 1).to_string());
        let rotation = Rotation { jti: &jti, next_jti: &next_jti, now: T0, grace: GRACE, expires_at: T0 + LIFE };
        session::rotate(&mut tx, &rotation).await.unwrap().unwrap();
    }
    assert!(session::revoke(&mut tx, "2500", T0 + GRACE).await.unwrap());
    tx.commit().await.unwrap();
    for jti in ["0", "2499", "2500", "5000"] {
        assert!(session::get(&store.db, jti).await.unwrap().is_none(), "{jti}");
    }
}

async fn a_revoked_session_does_not_come_back(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "first").await;
    refresh(&store, "first", "second", T0).await;

    let mut tx = store.begin().await;
    assert!(session::revoke(&mut tx, "second", T0).await.unwrap());
    assert!(!session::revoke(&mut tx, "second", T0).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(refresh(&store, "second", "third", T0).await, None);
    assert_eq!(refresh(&store, "first", "third", T0 + HOUR).await, None, "its predecessor is in its grace");
}

/// F12
async fn a_logout_ends_the_whole_family(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "u1").await;
    log_in(&store, &alice, "other").await;
    refresh(&store, "u1", "u2", T0).await;
    refresh(&store, "u2", "u3", T0).await;
    refresh(&store, "other", "other2", T0).await;

    for (jti, is_open) in [("u2", true), ("u3", false)] {
        let mut tx = store.begin().await;
        assert_eq!(session::revoke(&mut tx, jti, T0 + GRACE).await.unwrap(), is_open);
        tx.commit().await.unwrap();
    }

    for jti in ["u1", "u2", "u3"] {
        assert_eq!(refresh(&store, jti, "u4", T0).await, None, "{jti}");
    }
    assert_eq!(refresh(&store, "other", "other3", T0).await.as_deref(), Some("other2"));
    let ended = async |jti: &str| {
        let question = Question { did: alice.did.clone(), session: Some(jti.to_owned()) };
        account::current(&store.db, vec![question]).await.unwrap().remove(0).unwrap().session_ended
    };
    for (jti, expected) in [("u1", true), ("u2", true), ("u3", true), ("other", false), ("other2", false)] {
        assert_eq!(ended(jti).await, expected, "{jti}");
    }
    // Access tokens that name it have expired.
    let mut tx = store.begin().await;
    session::forget_expired(&mut tx, T0 + GRACE).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!ended("u1").await);
}

/// An account with the session `u1`, and its refresh to `u2` by another replica, which is not committed.
async fn refreshing(store: &Store) -> (Alice, Tx) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(store, &alice, "u1").await;
    let mut refreshing = store.begin().await;
    let rotation = Rotation { jti: "u1", next_jti: "u2", now: T0, grace: GRACE, expires_at: T0 + LIFE };
    session::rotate(&mut refreshing, &rotation).await.unwrap();
    (alice, refreshing)
}

/// Lets the refresh end while the log-out waits for it: afterwards not even the new token is good.
async fn neither_token_is_good(store: &Store, refreshing: Tx, logout: JoinHandle<()>) {
    store.until_somebody_waits().await;
    refreshing.commit().await.unwrap();
    logout.await.unwrap();
    assert_eq!(refresh(store, "u2", "u3", T0).await, None);
}

/// F12: on Postgres the refresh of another replica is under way.
async fn a_logout_during_a_refresh_ends_both(store: Store) {
    let (_alice, refreshing) = refreshing(&store).await;

    let other = store.clone();
    let logout = tokio::spawn(async move {
        let mut tx = other.begin().await;
        session::revoke(&mut tx, "u1", T0 + GRACE).await.unwrap();
        tx.commit().await.unwrap();
    });
    neither_token_is_good(&store, refreshing, logout).await;
}

async fn all_sessions_of_an_account_end(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let bob = Alice::create(&store.db, "bob").await;
    log_in(&store, &alice, "a1").await;
    log_in(&store, &alice, "a2").await;
    log_in(&store, &bob, "b1").await;

    let mut tx = store.begin().await;
    assert_eq!(session::revoke_all(&mut tx, alice.id).await.unwrap(), 2);
    tx.commit().await.unwrap();

    assert_eq!(refresh(&store, "a1", "a3", T0).await, None);
    assert_eq!(refresh(&store, "b1", "b2", T0).await.as_deref(), Some("b2"));
}

/// On Postgres the refresh of another replica is under way.
async fn all_sessions_end_during_a_refresh(store: Store) {
    let (alice, refreshing) = refreshing(&store).await;

    let (other, id) = (store.clone(), alice.id);
    let logout = tokio::spawn(async move {
        let mut tx = other.begin().await;
        assert_eq!(session::revoke_all(&mut tx, id).await.unwrap(), 2);
        tx.commit().await.unwrap();
    });
    neither_token_is_good(&store, refreshing, logout).await;
}

async fn a_session_keeps_its_name_and_beginning_while_it_is_refreshed(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    log_in(&store, &alice, "first").await;
    log_in(&store, &alice, "other").await;
    refresh(&store, "first", "second", T0 + 1).await;
    refresh(&store, "second", "third", T0 + 2).await;
    for jti in ["first", "second", "third"] {
        assert_eq!(session::of_token(&store.db, jti).await.unwrap().as_deref(), Some("first"));
    }
    assert_eq!(session::of_token(&store.db, "unknown").await.unwrap(), None);
    let named = async |id, name| session::named(&store.db, id, T0 + 2, name).await.unwrap();
    let found = named(alice.id, "first").await.unwrap();
    let expected = session::Session {
        id: "first".to_owned(),
        began_at: T0,
        refreshed_at: T0 + 2,
        expires_at: T0 + 2 + LIFE,
        jti: "third".to_owned(),
        app_password: None,
        scopes: None,
    };
    assert_eq!(found, expected);
    assert_eq!((named(alice.id, "third").await, named(bob.id, "first").await), (None, None));
    assert_eq!(session::named(&store.db, alice.id, T0 + 2 + LIFE, "first").await.unwrap(), None, "it has expired");

    let mut tx = store.begin().await;
    assert!(session::revoke(&mut tx, &found.jti, T0 + GRACE).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(named(alice.id, "first").await, None);
    assert!(named(alice.id, "other").await.is_some());
}

async fn sessions_are_listed_page_by_page(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    for n in 0..5 {
        log_in(&store, &alice, &format!("s{n}")).await;
    }
    log_in(&store, &bob, "of another").await;
    refresh(&store, "s1", "s1 again", T0 + 1).await;
    let (mut listed, mut after) = (Vec::new(), None::<session::Session>);
    loop {
        let place = after.as_ref().map(|last| session::Place { refreshed_at: last.refreshed_at, jti: &last.jti });
        let page = session::page(&store.db, alice.id, T0 + 1, place, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        listed.extend(page.into_iter().map(|session| session.id));
    }
    assert_eq!(listed, ["s1", "s4", "s3", "s2", "s0"]);
    assert_eq!(session::page(&store.db, alice.id, T0 + 1 + LIFE, None, 10).await.unwrap(), []);
}

async fn expired_tokens_are_forgotten(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    log_in(&store, &alice, "first").await;
    refresh(&store, "first", "second", T0).await;

    refresh(&store, "second", "third", T0 + GRACE).await;

    assert_eq!(session::get(&store.db, "first").await.unwrap(), None);
}
