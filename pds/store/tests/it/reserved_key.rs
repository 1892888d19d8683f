//! Reserved keys, and the keys of accounts.

use pds_store::{
    account,
    reserved_key::{self, NewKey},
};
use pds_syntax::Did;

use crate::harness::{Alice, Store, T0, did, on_both};

on_both!(one_did_has_one_key_until_it_expires, an_account_changes_to_one_key_at_a_time);

fn new<'a>(public_key: &'a str, did: Option<&'a Did>, now: i64) -> NewKey<'a> {
    NewKey { public_key, did, sealed: public_key.as_bytes(), now, expires_at: now + 100 }
}

async fn reserve(store: &Store, new: &NewKey<'_>, most: u32) -> Option<String> {
    let mut tx = store.begin().await;
    let key = reserved_key::reserve(&mut tx, new, most).await.unwrap();
    tx.commit().await.unwrap();
    key
}

async fn one_did_has_one_key_until_it_expires(store: Store) {
    let alice = did("alice");
    assert_eq!(reserve(&store, &new("a", Some(&alice), T0), 9).await.unwrap(), "a");
    assert_eq!(reserve(&store, &new("b", Some(&alice), T0 + 99), 9).await.unwrap(), "a");
    assert!(reserved_key::by_key(&store.db, "a", T0 + 99).await.unwrap().is_some());
    assert!(reserved_key::by_key(&store.db, "a", T0 + 100).await.unwrap().is_none());
    assert_eq!(reserve(&store, &new("c", Some(&alice), T0 + 100), 9).await.unwrap(), "c");
    assert_eq!(reserved_key::for_did(&store.db, &alice, T0 + 150).await.unwrap().unwrap().sealed, b"c");
    assert_eq!(reserve(&store, &new("d", None, T0), 1).await, None, "there are as many as there may be");
    let mut tx = store.begin().await;
    assert_eq!(reserved_key::forget_expired(&mut tx, T0 + 1000).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

async fn an_account_changes_to_one_key_at_a_time(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    for key in ["a", "b"] {
        reserve(&store, &new(key, None, T0), 9).await.unwrap();
    }
    let begin = async |key: &'static str| {
        let mut tx = store.begin().await;
        let begun = reserved_key::begin_change(&mut tx, alice.id, key, T0).await.unwrap();
        if begun {
            tx.commit().await.unwrap();
        }
        begun
    };
    assert!(begin("a").await && !begin("b").await && !begin("a").await);
    assert_eq!(reserved_key::for_account(&store.db, alice.id).await.unwrap().unwrap().public_key, "a");
    // It does not expire.
    let mut tx = store.begin().await;
    assert_eq!(reserved_key::forget_expired(&mut tx, T0 + 1000).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(reserved_key::unfinished_changes(&store.db, T0, 9).await.unwrap().len(), 0);
    assert_eq!(reserved_key::unfinished_changes(&store.db, T0 + 1, 9).await.unwrap().len(), 1);
    let mut tx = store.begin().await;
    account::set_signing_key(&mut tx, alice.id, b"sealed").await.unwrap();
    assert!(reserved_key::forget(&mut tx, "a").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(account::signing_key(&store.db, alice.id).await.unwrap().unwrap(), b"sealed");
    assert!(reserved_key::for_account(&store.db, alice.id).await.unwrap().is_none());
}
