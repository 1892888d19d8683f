//! Invite codes.

use pds_store::{
    Error,
    account::{self, NewAccount},
    invite::{self, Invite},
};

use crate::harness::{Store, T0, did, handle, on_both};

on_both!(
    a_code_is_used_as_often_as_it_allows,
    twenty_at_once_make_one_account,
    unusable_codes_are_refused,
    codes_are_listed_in_pages,
);

/// A code made by the admin.
pub(crate) fn code(code: &str, available: u32) -> Invite {
    Invite {
        code: code.to_owned(),
        available,
        used: 0,
        disabled: false,
        for_account: "admin".to_owned(),
        created_by: "admin".to_owned(),
        created_at: T0,
        expires_at: None,
    }
}

async fn sign_up(store: &Store, name: &str, code: &str) -> pds_store::Result<()> {
    let new = NewAccount {
        did: did(name),
        handle: handle(name),
        email: None,
        password_hash: None,
        signing_key: Vec::new(),
        created_at: T0,
    };
    let mut tx = store.begin().await;
    let id = account::reserve(&mut tx, &new).await?;
    invite::consume(&mut tx, code, id, T0).await?;
    tx.commit().await
}

async fn make(store: &Store, codes: &[Invite]) {
    let mut tx = store.begin().await;
    for code in codes {
        invite::create(&mut tx, code).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn a_code_is_used_as_often_as_it_allows(store: Store) {
    make(&store, &[code("two", 2)]).await;

    sign_up(&store, "alice", "two").await.unwrap();
    sign_up(&store, "bob", "two").await.unwrap();
    let third = sign_up(&store, "carol", "two").await;

    assert!(matches!(third, Err(Error::InviteUnusable)), "{third:?}");
    assert_eq!(invite::uses(&store.db, "two").await.unwrap().len(), 2);
    assert_eq!(invite::get(&store.db, "two").await.unwrap().unwrap().used, 2);
}

/// AL-INV-2
async fn twenty_at_once_make_one_account(store: Store) {
    make(&store, &[code("one", 1)]).await;

    let tries = (0..20).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { sign_up(&store, &format!("try{n}"), "one").await })
    });
    let results = futures::future::join_all(tries).await;

    let won = results.iter().filter(|result| matches!(result, Ok(Ok(())))).count();
    let lost = results.iter().filter(|result| matches!(result, Ok(Err(Error::InviteUnusable)))).count();
    assert_eq!((won, lost), (1, 19), "{results:?}");
    assert_eq!(invite::uses(&store.db, "one").await.unwrap().len(), 1);
}

/// AL-INV-1
async fn unusable_codes_are_refused(store: Store) {
    let expired = Invite { expires_at: Some(T0), ..code("expired", 1) };
    make(&store, &[code("disabled", 1), expired]).await;
    let mut tx = store.begin().await;
    assert!(invite::disable(&mut tx, "disabled").await.unwrap());
    assert!(!invite::disable(&mut tx, "unknown").await.unwrap());
    tx.commit().await.unwrap();

    for code in ["disabled", "expired", "unknown", ""] {
        assert!(!invite::is_usable(&store.db, code, T0).await.unwrap(), "{code}");
        let result = sign_up(&store, "alice", code).await;
        assert!(matches!(result, Err(Error::InviteUnusable)), "{code}: {result:?}");
    }
    assert_eq!(account::by_did(&store.db, &did("alice")).await.unwrap(), None);
}

async fn codes_are_listed_in_pages(store: Store) {
    let codes = ["b", "a", "c"].map(|name| code(name, 1));
    let late = Invite { created_at: T0 + 1, ..code("_late", 1) };
    make(&store, &codes).await;
    make(&store, std::slice::from_ref(&late)).await;

    let mut seen = Vec::new();
    let mut after: Option<Invite> = None;
    loop {
        let cursor = after.as_ref().map(|invite| (invite.created_at, invite.code.as_str()));
        let page = invite::list(&store.db, cursor, 2).await.unwrap();
        let Some(last) = page.last().cloned() else { break };
        seen.extend(page.into_iter().map(|invite| invite.code));
        after = Some(last);
    }

    assert_eq!(seen, ["a", "b", "c", "_late"]);
}
