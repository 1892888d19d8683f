//! Invite codes.

use pds_store::{
    Error,
    account::{self, NewAccount},
    invite::{self, By, Invite, Place, Routine},
};

use crate::harness::{Alice, Store, T0, did, handle, on_both};

on_both!(
    a_code_is_used_as_often_as_it_allows,
    twenty_at_once_make_one_account,
    unusable_codes_are_refused,
    codes_are_listed_in_pages,
    an_account_has_codes_of_its_own,
    codes_of_a_taken_down_account_cannot_be_used,
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
    assert_eq!(invite::uses(&store.db, &["two"]).await.unwrap()["two"].len(), 2);
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
    assert_eq!(invite::uses(&store.db, &["one"]).await.unwrap()["one"].len(), 1);
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
    let late = Invite { created_at: T0 + 1, ..code("_late", 2) };
    make(&store, &codes).await;
    make(&store, std::slice::from_ref(&late)).await;
    for (name, code) in [("alice", "a"), ("bob", "_late"), ("carol", "_late")] {
        sign_up(&store, name, code).await.unwrap();
    }

    for (by, expected) in [(By::Recent, ["_late", "c", "b", "a"]), (By::Usage, ["_late", "a", "c", "b"])] {
        let mut seen = Vec::new();
        let mut after: Option<Invite> = None;
        loop {
            let place = after.as_ref().map(|invite| match by {
                By::Recent => Place { number: invite.created_at, code: &invite.code },
                By::Usage => Place { number: i64::from(invite.used), code: &invite.code },
            });
            let page = invite::page(&store.db, by, place, 2).await.unwrap();
            let Some(last) = page.last().cloned() else { break };
            seen.extend(page.into_iter().map(|invite| invite.code));
            after = Some(last);
        }
        assert_eq!(seen, expected, "{by:?}");
    }
    let uses = invite::uses(&store.db, &["_late", "a", "b", "unknown"]).await.unwrap();
    let names = |code: &str| uses.get(code).into_iter().flatten().map(|one| one.used_by.clone()).collect::<Vec<_>>();
    assert_eq!(names("_late"), [did("carol"), did("bob")]);
    assert_eq!((names("a"), names("b")), (vec![did("alice")], vec![]));
    assert!(invite::uses(&store.db, &[]).await.unwrap().is_empty());
}

async fn an_account_has_codes_of_its_own(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let own = |name: &str, created_at| Invite {
        for_account: alice.did.to_string(),
        created_by: alice.did.to_string(),
        created_at,
        ..code(name, 1)
    };
    let gift = Invite { for_account: alice.did.to_string(), ..code("gift", 1) };
    make(&store, &[own("before", T0 - 1), own("at", T0), own("after", T0 + 1), gift, code("foreign", 1)]).await;
    sign_up(&store, "bob", "after").await.unwrap();
    let mut tx = store.begin().await;
    invite::disable(&mut tx, "before").await.unwrap();
    tx.commit().await.unwrap();

    let routine = invite::routine(&store.db, alice.did.as_str(), T0 - 1).await.unwrap();
    assert_eq!(routine, Routine { open: 1, since_epoch: 2 });
    assert_eq!(invite::routine(&store.db, "did:plc:nobody", 0).await.unwrap(), Routine::default());
    let listed = invite::of_account(&store.db, alice.did.as_str()).await.unwrap();
    let names: Vec<_> = listed.iter().map(|invite| invite.code.as_str()).collect();
    assert_eq!(names, ["after", "gift", "at", "before"]);
    let bob = account::by_did(&store.db, &did("bob")).await.unwrap().unwrap();
    assert_eq!(invite::used_by(&store.db, bob.id).await.unwrap().unwrap().code, "after");
    assert_eq!(invite::used_by(&store.db, alice.id).await.unwrap(), None);

    assert_eq!(invite::is_disabled(&store.db, alice.id).await.unwrap(), Some((false, None)));
    for (disabled, note, expected) in [(true, Some("spam"), Some("spam")), (false, None, Some("spam"))] {
        let mut tx = store.begin().await;
        invite::set_disabled(&mut tx, alice.id, disabled, note).await.unwrap();
        tx.commit().await.unwrap();
        let expected = Some((disabled, expected.map(str::to_owned)));
        assert_eq!(invite::is_disabled(&store.db, alice.id).await.unwrap(), expected);
    }
    let mut tx = store.begin().await;
    assert_eq!(invite::disable_of(&mut tx, alice.did.as_str()).await.unwrap(), 4);
    tx.commit().await.unwrap();
    assert_eq!(invite::routine(&store.db, alice.did.as_str(), 0).await.unwrap().open, 0);
}

async fn codes_of_a_taken_down_account_cannot_be_used(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    make(&store, &[Invite { for_account: alice.did.to_string(), ..code("hers", 1) }]).await;
    let set = async |reference| {
        let mut tx = store.begin().await;
        account::set_takedown(&mut tx, alice.id, reference).await.unwrap();
        tx.commit().await.unwrap();
    };
    set(Some("a decision")).await;
    assert!(!invite::is_usable(&store.db, "hers", T0).await.unwrap());
    let refused = sign_up(&store, "bob", "hers").await;
    assert!(matches!(refused, Err(Error::InviteUnusable)), "{refused:?}");
    set(None).await;
    assert!(invite::is_usable(&store.db, "hers", T0).await.unwrap());
    sign_up(&store, "bob", "hers").await.unwrap();
}
