//! Deleted accounts (AL-LIFE).

use pds_store::{
    Error,
    account::{self, Purge, Status},
    app_password::{self, NewAppPassword},
    commit::RecordWrite,
    preference, repo,
};

use crate::harness::{Alice, Store, T0, handle, on_both, put};

on_both!(
    a_deleted_account_is_hidden_and_its_names_are_free,
    a_restored_account_has_what_it_had,
    a_purge_goes_on_where_it_was_interrupted,
    an_account_that_comes_back_has_no_tombstone,
);

const DAY: i64 = 86_400_000_000;

async fn delete(store: &Store, alice: &Alice) {
    let mut tx = store.begin().await;
    assert!(account::delete(&mut tx, alice.id, T0, T0 + 7 * DAY).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_deleted_account_is_hidden_and_its_names_are_free(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let before = account::by_id(&store.db, alice.id).await.unwrap().unwrap();
    delete(&store, &alice).await;

    let after = account::by_id(&store.db, alice.id).await.unwrap().unwrap();
    assert_eq!((after.status(), after.exists(), after.token_epoch), (Status::Deleted, false, before.token_epoch + 1));
    assert_eq!(repo::load(&store.db, &alice.did).await.unwrap().unwrap().status, Status::Deleted);
    assert_eq!(repo::list(&store.db, None, 10, T0).await.unwrap(), []);
    assert_eq!(account::count(&store.db).await.unwrap(), 0);
    assert_eq!(account::by_handle(&store.db, &alice.handle).await.unwrap(), None);
    assert_eq!(account::by_email(&store.db, "alice@example.com").await.unwrap(), None);
    // Nothing is committed any more, by this release or the one before.
    assert!(alice.clone().write(&store.db, vec![RecordWrite::Create(put("a.b.c/1", "body"))]).await.is_err());
    let mut tx = store.begin().await;
    assert!(!account::delete(&mut tx, alice.id, T0, T0).await.unwrap(), "only once");
    tx.rollback().await.unwrap();
}

async fn a_restored_account_has_what_it_had(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, Some("case 7")).await.unwrap();
    account::set_deactivated(&mut tx, alice.id, Some(T0), None).await.unwrap();
    account::confirm_email(&mut tx, alice.id, "alice@example.com", T0).await.unwrap();
    tx.commit().await.unwrap();
    let before = account::by_id(&store.db, alice.id).await.unwrap().unwrap();
    delete(&store, &alice).await;
    let deleted = account::deleted(&store.db, &alice.did).await.unwrap().unwrap();
    assert_eq!((deleted.id, &deleted.handle, deleted.purge_at), (alice.id, &alice.handle, T0 + 7 * DAY));

    let mut tx = store.begin().await;
    assert_eq!(account::restore(&mut tx, alice.id, T0 + 7 * DAY, None).await.unwrap(), None, "its purge has begun");
    tx.rollback().await.unwrap();
    // Another account takes the handle and the address.
    let other = Alice::create(&store.db, "bob").await;
    let mut tx = store.begin().await;
    account::set_handle(&mut tx, other.id, &alice.handle).await.unwrap();
    account::set_email(&mut tx, other.id, Some("Alice@example.com")).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await;
    let taken = account::restore(&mut tx, alice.id, T0, None).await;
    assert!(matches!(taken, Err(Error::HandleTaken { .. })), "{taken:?}");
    tx.rollback().await.unwrap();

    let mut tx = store.begin().await;
    let new = handle("alicia");
    assert!(account::restore(&mut tx, alice.id, T0, Some(&new)).await.unwrap().unwrap().lost_email);
    tx.commit().await.unwrap();
    let after = account::by_id(&store.db, alice.id).await.unwrap().unwrap();
    let expected = account::Account {
        handle: new,
        email: None,
        email_confirmed_at: None,
        token_epoch: before.token_epoch + 1,
        ..before
    };
    assert_eq!(after, expected);
}

async fn a_purge_goes_on_where_it_was_interrupted(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    for n in 0..5 {
        alice.write(&store.db, vec![RecordWrite::Create(put(&format!("a.b.c/{n}"), "body"))]).await.unwrap();
    }
    // What refers to the account goes with it.
    let new = NewAppPassword {
        account_id: alice.id,
        name: "phone",
        kind: app_password::Kind::Keyed,
        digest: b"digest",
        privileged: false,
        scopes: None,
        created_at: T0,
    };
    let mut tx = store.begin().await;
    preference::put(&mut tx, alice.id, "[]").await.unwrap();
    app_password::create(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    let left = account::leftovers(&store.db, alice.id, &alice.did).await.unwrap();
    assert!(["preference", "app_password"].iter().all(|table| left.iter().any(|found| found == table)), "{left:?}");
    delete(&store, &alice).await;
    assert_eq!(account::purgeable(&store.db, T0 + 7 * DAY - 1, 10).await.unwrap(), []);
    assert_eq!(account::purgeable(&store.db, T0 + 7 * DAY, 10).await.unwrap().len(), 1);
    let mut portions = 0;
    loop {
        let mut tx = store.begin().await;
        let purged = account::purge_portion(&mut tx, alice.id, T0, 2).await.unwrap();
        tx.commit().await.unwrap();
        portions += 1;
        if purged == Purge::Empty {
            break;
        }
        assert!(!account::leftovers(&store.db, alice.id, &alice.did).await.unwrap().is_empty());
    }
    assert_eq!(portions, 4);
    let mut tx = store.begin().await;
    assert!(account::bury(&mut tx, alice.id).await.unwrap());
    assert!(!account::bury(&mut tx, alice.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(account::leftovers(&store.db, alice.id, &alice.did).await.unwrap(), Vec::<String>::new());
    assert_eq!(account::tombstone(&store.db, &alice.did).await.unwrap(), Some(T0));
}

async fn an_account_that_comes_back_has_no_tombstone(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    delete(&store, &alice).await;
    let mut tx = store.begin().await;
    assert!(account::bury(&mut tx, alice.id).await.unwrap());
    tx.commit().await.unwrap();
    let again = Alice::create(&store.db, "alice").await;
    assert_ne!(again.id, alice.id);
    assert_eq!(account::tombstone(&store.db, &alice.did).await.unwrap(), None);
}
