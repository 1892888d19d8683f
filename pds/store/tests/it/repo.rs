//! Repository heads and the list of repositories.

use std::collections::BTreeSet;

use pds_repo::Head;
use pds_store::{
    account::{self, NewAccount, Status},
    repo,
};

use crate::harness::{Alice, Store, T0, cid, did, handle, on_both, tid};

on_both!(
    a_new_repository_has_its_first_head,
    a_reserved_account_has_no_head,
    an_account_has_one_repository,
    pages_lose_and_repeat_nothing_while_accounts_come_and_go,
    the_list_shows_states_and_no_reservations,
);

async fn a_new_repository_has_its_first_head(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;

    let loaded = repo::load(&store.db, &alice.did).await.unwrap().unwrap();

    let root = loaded.root.unwrap();
    assert_eq!(root.head, Head { rev: tid(1), commit: cid("commit 1"), data: cid("data 1") });
    assert_eq!((&root.commit_bytes[..], root.record_count), (&b"commit 1"[..], 0));
    assert_eq!((loaded.account_id, loaded.status, &loaded.signing_key[..]), (alice.id, Status::Active, &b"sealed"[..]));
    assert_eq!(repo::root(&store.db, alice.id).await.unwrap(), Some(root));
    assert!(repo::load(&store.db, &did("bob")).await.unwrap().is_none());
}

async fn a_reserved_account_has_no_head(store: Store) {
    reserve(&store, "alice").await;

    let loaded = repo::load(&store.db, &did("alice")).await.unwrap().unwrap();

    assert_eq!((loaded.status, loaded.root), (Status::Creating, None));
}

async fn an_account_has_one_repository(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let head = Head { rev: tid(9), commit: cid("other"), data: cid("other") };

    let mut tx = store.begin().await;
    assert!(repo::create(&mut tx, alice.id, &head, b"other").await.is_err());
}

/// AL-SYN-4
async fn pages_lose_and_repeat_nothing_while_accounts_come_and_go(store: Store) {
    let mut there_all_along = BTreeSet::new();
    for n in 0..9 {
        there_all_along.insert(Alice::create(&store.db, &format!("old{n}")).await.did);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = repo::list(&store.db, after, 2, T0).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.account_id);
        seen.extend(page.into_iter().map(|listed| listed.did));
        if seen.len() < 8 {
            // Names change and accounts appear between the pages.
            let n = seen.len();
            let renamed = Alice::create(&store.db, &format!("new{n}")).await;
            let mut tx = store.begin().await;
            account::set_handle(&mut tx, renamed.id, &handle(&format!("aaa{n}"))).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    let unique: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(unique.len(), seen.len(), "{seen:?}");
    assert!(unique.is_superset(&there_all_along), "{seen:?}");
}

async fn the_list_shows_states_and_no_reservations(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    reserve(&store, "bob").await;
    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, Some("report")).await.unwrap();
    tx.commit().await.unwrap();

    let listed = repo::list(&store.db, None, 10, T0).await.unwrap();

    let expected = repo::Listed {
        account_id: alice.id,
        did: alice.did,
        status: Status::TakenDown,
        rev: tid(1),
        commit: cid("commit 1"),
    };
    assert_eq!(listed, [expected]);
}

async fn reserve(store: &Store, name: &str) {
    let new = NewAccount {
        did: did(name),
        handle: handle(name),
        email: None,
        password_hash: None,
        signing_key: Vec::new(),
        created_at: T0,
    };
    let mut tx = store.begin().await;
    account::reserve(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}
