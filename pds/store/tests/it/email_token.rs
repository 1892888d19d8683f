//! Codes that are mailed (AL-MAIL-2).

use pds_store::{
    account,
    email_token::{self, NewToken, Purpose},
};

use crate::harness::{Alice, Store, T0, on_both};

on_both!(
    a_code_is_taken_once,
    a_new_code_replaces_the_one_of_its_purpose,
    codes_end_with_their_account_and_are_forgotten,
    of_many_who_use_a_code_one_does,
);

const MINUTE: i64 = 60_000_000;

fn new<'a>(alice: &Alice, purpose: Purpose, hash: &'a [u8; 32]) -> NewToken<'a> {
    NewToken { account_id: alice.id, purpose, hash, email: "Alice@Example.com", expires_at: T0 + 15 * MINUTE }
}

async fn put(store: &Store, new: &NewToken<'_>) {
    let mut tx = store.begin().await;
    email_token::put(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn take(store: &Store, purpose: Purpose, hash: &[u8; 32]) -> bool {
    let mut tx = store.begin().await;
    let taken = email_token::take(&mut tx, purpose, hash).await.unwrap();
    tx.commit().await.unwrap();
    taken.is_some()
}

async fn a_code_is_taken_once(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    put(&store, &new(&alice, Purpose::ResetPassword, &[1; 32])).await;

    let found = email_token::get(&store.db, Purpose::ResetPassword, &[1; 32]).await.unwrap().unwrap();
    assert_eq!(
        (found.account_id, found.email.as_str(), found.expires_at),
        (alice.id, "alice@example.com", T0 + 15 * MINUTE)
    );
    assert!(!take(&store, Purpose::DeleteAccount, &[1; 32]).await);
    assert!(!take(&store, Purpose::ResetPassword, &[2; 32]).await);
    // Not used up by a transaction that does not commit.
    let mut tx = store.begin().await;
    assert!(email_token::take(&mut tx, Purpose::ResetPassword, &[1; 32]).await.unwrap().is_some());
    tx.rollback().await.unwrap();
    assert!(take(&store, Purpose::ResetPassword, &[1; 32]).await);
    assert!(!take(&store, Purpose::ResetPassword, &[1; 32]).await);
}

async fn a_new_code_replaces_the_one_of_its_purpose(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    for (n, purpose) in Purpose::ALL.into_iter().enumerate() {
        put(&store, &new(&alice, purpose, &[u8::try_from(n).unwrap(); 32])).await;
    }
    put(&store, &new(&alice, Purpose::ConfirmEmail, &[99; 32])).await;

    assert!(!take(&store, Purpose::ConfirmEmail, &[0; 32]).await);
    assert!(take(&store, Purpose::ConfirmEmail, &[99; 32]).await);
    assert!(take(&store, Purpose::UpdateEmail, &[1; 32]).await);
    let mut tx = store.begin().await;
    assert_eq!(email_token::void(&mut tx, alice.id).await.unwrap(), 4);
    tx.commit().await.unwrap();
}

async fn codes_end_with_their_account_and_are_forgotten(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    put(&store, &new(&alice, Purpose::AuthFactor, &[1; 32])).await;
    put(&store, &new(&bob, Purpose::AuthFactor, &[2; 32])).await;
    let mut tx = store.begin().await;
    assert!(account::delete(&mut tx, alice.id, T0, T0).await.unwrap());
    assert_eq!(email_token::forget_expired(&mut tx, T0 + 15 * MINUTE - 1).await.unwrap(), 0);
    assert_eq!(email_token::forget_expired(&mut tx, T0 + 15 * MINUTE).await.unwrap(), 1, "only bob's was left");
    tx.commit().await.unwrap();
}

async fn of_many_who_use_a_code_one_does(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    put(&store, &new(&alice, Purpose::PlcOperation, &[1; 32])).await;
    let tries = (0..8).map(|_| take(&store, Purpose::PlcOperation, &[1; 32]));
    let taken = futures::future::join_all(tries).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
}
