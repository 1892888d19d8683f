//! Accounts: reservations, names, states.

use pds_store::{
    Error, Tx,
    account::{self, NewAccount, Status, Suspension},
    event, invite, repo,
};

use crate::{
    harness::{Alice, Store, T0, did, handle, on_both},
    invite::code,
};

on_both!(
    an_account_is_found_by_each_of_its_names,
    a_reservation_holds_its_names,
    a_reservation_given_back_frees_its_names_and_its_invite,
    an_active_account_cannot_be_given_back,
    a_reservation_given_back_cannot_be_activated,
    stale_reservations_are_found,
    of_many_who_want_a_handle_one_gets_it,
    renaming_answers_with_the_former_handle,
    a_taken_handle_cannot_be_renamed_to,
    the_strongest_cause_shows,
    a_suspension_is_over_at_its_time_and_counts_until_it_is_ended,
    an_account_may_have_a_quota_of_its_own,
    a_new_password_voids_access_tokens,
    an_uncommitted_account_does_not_exist,
);

async fn an_account_is_found_by_each_of_its_names(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;

    let found = account::by_did(&store.db, &alice.did).await.unwrap().unwrap();

    assert_eq!((found.id, &found.handle, found.status()), (alice.id, &alice.handle, Status::Active));
    assert_eq!(account::by_id(&store.db, alice.id).await.unwrap().as_ref(), Some(&found));
    assert_eq!(account::by_handle(&store.db, &alice.handle).await.unwrap().as_ref(), Some(&found));
    assert_eq!(account::by_email(&store.db, "ALICE@example.COM").await.unwrap().as_ref(), Some(&found));
    assert_eq!(account::by_did(&store.db, &did("bob")).await.unwrap(), None);
    assert_eq!(account::count(&store.db).await.unwrap(), 1);
}

async fn a_reservation_holds_its_names(store: Store) {
    reserve(&store, &new("alice")).await.unwrap();

    let same_handle = NewAccount { did: did("bob"), email: None, ..new("alice") };
    assert!(
        matches!(reserve(&store, &same_handle).await, Err(Error::HandleTaken { handle: h }) if h == handle("alice"))
    );
    let same_did = NewAccount { handle: handle("bob"), email: None, ..new("alice") };
    assert!(matches!(reserve(&store, &same_did).await, Err(Error::DidTaken { did: d }) if d == did("alice")));
    let same_email = NewAccount { email: Some("Alice@EXAMPLE.com".to_owned()), ..new("bob") };
    assert!(matches!(reserve(&store, &same_email).await, Err(Error::EmailTaken)));
    let reserved = account::by_did(&store.db, &did("alice")).await.unwrap().unwrap();
    assert_eq!(reserved.status(), Status::Creating);
    assert_eq!(account::count(&store.db).await.unwrap(), 0);
}

async fn a_reservation_given_back_frees_its_names_and_its_invite(store: Store) {
    let mut tx = store.begin().await;
    invite::create(&mut tx, &code("one-use", 1)).await.unwrap();
    let id = account::reserve(&mut tx, &new("alice")).await.unwrap();
    invite::consume(&mut tx, "one-use", id, T0).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin().await;
    assert!(account::give_back(&mut tx, id).await.unwrap());
    tx.commit().await.unwrap();

    assert!(invite::is_usable(&store.db, "one-use", T0).await.unwrap());
    assert!(invite::uses(&store.db, &["one-use"]).await.unwrap().is_empty());
    reserve(&store, &new("alice")).await.unwrap();
}

async fn an_active_account_cannot_be_given_back(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;

    let mut tx = store.begin().await;
    assert!(!account::give_back(&mut tx, alice.id).await.unwrap());
    tx.commit().await.unwrap();

    assert!(account::by_id(&store.db, alice.id).await.unwrap().is_some());
}

async fn a_reservation_given_back_cannot_be_activated(store: Store) {
    let id = reserve(&store, &new("alice")).await.unwrap();
    let mut tx = store.begin().await;
    account::give_back(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin().await;
    assert!(matches!(account::activate(&mut tx, id, T0).await, Err(Error::NotReserved { id: i }) if i == id));
}

async fn stale_reservations_are_found(store: Store) {
    Alice::create(&store.db, "active").await;
    let old = reserve(&store, &new("old")).await.unwrap();
    reserve(&store, &NewAccount { created_at: T0 + 10, ..new("young") }).await.unwrap();

    let stale = account::stale_reservations(&store.db, T0 + 10, 100).await.unwrap();

    assert_eq!(stale.iter().map(|r| (r.id, &r.did)).collect::<Vec<_>>(), [(old, &did("old"))]);
}

async fn of_many_who_want_a_handle_one_gets_it(store: Store) {
    let tries = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let wish = NewAccount { did: did(&format!("try{n}")), email: None, ..new("wanted") };
            reserve(&store, &wish).await
        })
    });

    let results = futures::future::join_all(tries).await;

    let won = results.iter().filter(|result| matches!(result, Ok(Ok(_)))).count();
    let lost = results.iter().filter(|result| matches!(result, Ok(Err(Error::HandleTaken { .. })))).count();
    assert_eq!((won, lost), (1, 7), "{results:?}");
}

async fn renaming_answers_with_the_former_handle(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;

    let mut tx = store.begin().await;
    let former = account::set_handle(&mut tx, alice.id, &handle("alicia")).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(former, Some(handle("alice")));
    assert!(account::by_handle(&store.db, &handle("alicia")).await.unwrap().is_some());
    assert!(account::by_handle(&store.db, &handle("alice")).await.unwrap().is_none());
    let mut tx = store.begin().await;
    assert_eq!(account::set_handle(&mut tx, pds_store::AccountId(999), &handle("x")).await.unwrap(), None);
}

async fn a_taken_handle_cannot_be_renamed_to(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    Alice::create(&store.db, "bob").await;

    let mut tx = store.begin().await;
    let error = account::set_handle(&mut tx, alice.id, &handle("bob")).await.unwrap_err();
    tx.rollback().await.unwrap();

    assert!(matches!(error, Error::HandleTaken { .. }), "{error:?}");
    assert_eq!(account::by_id(&store.db, alice.id).await.unwrap().unwrap().handle, alice.handle);
}

async fn the_strongest_cause_shows(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let status = async || account::by_id(&store.db, alice.id).await.unwrap().unwrap().status();

    let mut tx = store.begin().await;
    account::set_deactivated(&mut tx, alice.id, Some(T0), Some(T0 + 5)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status().await, Status::Deactivated);

    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, Some("report 1")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status().await, Status::TakenDown);

    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, None).await.unwrap();
    account::set_deactivated(&mut tx, alice.id, None, None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status().await, Status::Active);
}

/// AL-ACC-5, AL-MOD-2
async fn a_suspension_is_over_at_its_time_and_counts_until_it_is_ended(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    let found = async || account::by_id(&store.db, alice.id).await.unwrap().unwrap();
    let over = async |now: i64| account::over_suspensions(&store.db, now, 10).await.unwrap();
    let suspension = Suspension { until: T0 + 10, reason: Some("spam".to_owned()) };

    let mut tx = store.begin().await;
    account::set_deactivated(&mut tx, alice.id, Some(T0), None).await.unwrap();
    assert!(account::set_suspension(&mut tx, alice.id, Some(&suspension)).await.unwrap());
    assert!(!account::set_suspension(&mut tx, pds_store::AccountId(999), None).await.unwrap());
    tx.commit().await.unwrap();

    let suspended = Status::Suspended { until: T0 + 10 };
    assert_eq!(account::suspension(&store.db, alice.id).await.unwrap(), Some(suspension));
    assert_eq!(account::suspension(&store.db, bob.id).await.unwrap(), None);
    let account = found().await;
    assert_eq!((account.status(), account.status_at(T0 + 9)), (suspended, suspended));
    assert_eq!((account.status(), account.status_at(T0 + 10)), (suspended, Status::Deactivated));
    let listed = async |now: i64| repo::list(&store.db, None, 1, now).await.unwrap()[0].status;
    assert_eq!((listed(T0).await, listed(T0 + 10).await), (suspended, Status::Deactivated));
    assert_eq!(repo::load(&store.db, &alice.did).await.unwrap().unwrap().status, suspended);
    assert_eq!((over(T0 + 9).await, over(T0 + 10).await), (vec![], vec![alice.id]));

    // A deleted account has its suspension still when it is restored.
    let mut tx = store.begin().await;
    account::delete(&mut tx, alice.id, T0, T0 + 100).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((found().await.status(), over(T0 + 10).await), (Status::Deleted, vec![]));
    let mut tx = store.begin().await;
    account::restore(&mut tx, alice.id, T0 + 1, None).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found().await.status(), suspended);

    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, Some("case")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found().await.status(), Status::TakenDown);
    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, None).await.unwrap();
    account::set_suspension(&mut tx, alice.id, None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((found().await.status(), over(T0 + 10).await), (Status::Deactivated, vec![]));
}

/// AL-REP-5
async fn an_account_may_have_a_quota_of_its_own(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    for quota in [None, Some(0), Some(5 << 40), None] {
        let mut tx = store.begin().await;
        assert!(account::set_quota(&mut tx, alice.id, quota).await.unwrap());
        assert!(!account::set_quota(&mut tx, pds_store::AccountId(999), quota).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(account::by_id(&store.db, alice.id).await.unwrap().unwrap().quota_bytes, quota);
    }
}

async fn a_new_password_voids_access_tokens(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;

    let mut tx = store.begin().await;
    assert!(account::set_password_hash(&mut tx, alice.id, "$argon2id$other").await.unwrap());
    assert_eq!(account::bump_epoch(&mut tx, alice.id).await.unwrap(), Some(2));
    assert!(account::confirm_email(&mut tx, alice.id, "alice@EXAMPLE.com", T0).await.unwrap());
    assert!(!account::confirm_email(&mut tx, alice.id, "other@example.com", T0).await.unwrap());
    tx.commit().await.unwrap();

    let found = account::by_id(&store.db, alice.id).await.unwrap().unwrap();
    assert_eq!(found.password_hash.as_deref(), Some("$argon2id$other"));
    assert_eq!((found.token_epoch, found.email_confirmed_at), (2, Some(T0)));
    assert!(!format!("{found:?}").contains("argon2id"));
}

async fn an_uncommitted_account_does_not_exist(store: Store) {
    let mut tx = store.begin().await;
    let id = account::reserve(&mut tx, &new("alice")).await.unwrap();
    assert!(account::by_id(&mut tx, id).await.unwrap().is_some());
    event::append(&mut tx, &[crate::harness::frame("phantom")], T0).await.unwrap();
    drop(tx);

    assert!(account::by_id(&store.db, id).await.unwrap().is_none());
    assert_eq!(event::head(&store.db).await.unwrap(), 0);
}

fn new(name: &str) -> NewAccount {
    NewAccount {
        did: did(name),
        handle: handle(name),
        email: Some(format!("{name}@example.com")),
        password_hash: None,
        signing_key: Vec::new(),
        created_at: T0,
    }
}

async fn reserve(store: &Store, new: &NewAccount) -> pds_store::Result<pds_store::AccountId> {
    let mut tx: Tx = store.begin().await;
    let id = account::reserve(&mut tx, new).await?;
    tx.commit().await?;
    Ok(id)
}
