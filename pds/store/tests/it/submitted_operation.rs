//! Operations that the directory was asked to take.

use pds_store::account;

use crate::harness::{Alice, Store, T0, on_both};

on_both!(a_submission_ends_once);

async fn a_submission_ends_once(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let mut tx = store.begin().await;
    let first = account::begin_submission(&mut tx, alice.id, T0).await.unwrap();
    let second = account::begin_submission(&mut tx, alice.id, T0 + 1).await.unwrap();
    tx.commit().await.unwrap();
    let open = async |before: i64, limit: u32| {
        let open = account::unfinished_submissions(&store.db, before, limit).await.unwrap();
        assert!(open.iter().all(|submission| submission.account_id == alice.id));
        open.iter().map(|submission| submission.id).collect::<Vec<_>>()
    };
    assert_eq!(open(T0, 9).await, [0; 0]);
    assert_eq!(open(T0 + 1, 9).await, [first]);
    assert_eq!(open(T0 + 2, 9).await, [first, second]);
    assert_eq!(open(T0 + 2, 1).await, [first]);
    for ended in [true, false] {
        let mut tx = store.begin().await;
        assert_eq!(account::end_submission(&mut tx, first).await.unwrap(), ended);
        tx.commit().await.unwrap();
    }
    assert_eq!(open(T0 + 2, 9).await, [second]);
}
