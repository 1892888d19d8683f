//! Mails that wait (AL-MAIL-1).

use pds_store::mail::{self, Most, NewMail, Waiting};

use crate::harness::{Alice, Store, T0, on_both};

on_both!(
    a_mail_is_claimed_by_one_until_a_time,
    a_new_mail_replaces_an_unsent_one_of_its_kind,
    the_queue_is_bounded,
    mails_about_one_account_leave_room_for_those_of_others,
    many_claim_each_mail_once,
);

const MINUTE: i64 = 60_000_000;

fn new<'a>(alice: &Alice, kind: &'a str, sealed: &'a [u8]) -> NewMail<'a> {
    NewMail { account_id: Some(alice.id), kind, replaces: true, sealed, created_at: T0, expires_at: T0 + 15 * MINUTE }
}

async fn queue(store: &Store, new: &NewMail<'_>, most: i64) -> bool {
    queue_within(store, new, Most { of_all: most, of_one: most }).await
}

async fn queue_within(store: &Store, new: &NewMail<'_>, most: Most) -> bool {
    let mut tx = store.begin().await;
    let queued = mail::queue(&mut tx, new, most).await.unwrap();
    tx.commit().await.unwrap();
    queued
}

async fn a_mail_is_claimed_by_one_until_a_time(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    assert!(queue(&store, &new(&alice, "confirm", b"sealed"), 10).await);
    assert_eq!(mail::waiting(&store.db).await.unwrap(), Waiting { count: 1, oldest: Some(T0) });
    assert!(!mail::is_due(&store.db, T0 - 1).await.unwrap());
    assert!(mail::is_due(&store.db, T0).await.unwrap());

    let first = mail::claim(&store.db, T0, T0 + MINUTE, 10).await.unwrap();
    assert_eq!((first.len(), first[0].sealed.as_slice(), first[0].attempts), (1, b"sealed".as_slice(), 1));
    assert_eq!((first[0].kind.as_str(), first[0].expires_at), ("confirm", T0 + 15 * MINUTE));
    assert_eq!(mail::claim(&store.db, T0 + MINUTE - 1, T0 + 2 * MINUTE, 10).await.unwrap(), []);
    // Whoever claimed it has died.
    let second = mail::claim(&store.db, T0 + MINUTE, T0 + 2 * MINUTE, 10).await.unwrap();
    assert_eq!((second[0].id, second[0].attempts), (first[0].id, 2));

    let mut tx = store.begin().await;
    mail::postpone(&mut tx, first[0].id, T0 + 5 * MINUTE).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!mail::is_due(&store.db, T0 + 5 * MINUTE - 1).await.unwrap());
    let mut tx = store.begin().await;
    mail::remove(&mut tx, first[0].id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(mail::waiting(&store.db).await.unwrap(), Waiting { count: 0, oldest: None });
}

async fn a_new_mail_replaces_an_unsent_one_of_its_kind(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    for (person, kind, sealed) in
        [(&alice, "confirm", b"1"), (&alice, "reset", b"2"), (&bob, "confirm", b"3"), (&alice, "confirm", b"4")]
    {
        assert!(queue(&store, &new(person, kind, sealed), 3).await, "replacing needs no room");
    }
    // News do not replace each other.
    for text in [b"6", b"7"] {
        assert!(queue(&store, &NewMail { replaces: false, ..new(&alice, "news", text) }, 10).await);
    }
    let anybody = NewMail { account_id: None, ..new(&alice, "confirm", b"5") };
    assert!(queue(&store, &anybody, 10).await);
    let sealed: Vec<_> =
        mail::claim(&store.db, T0, T0 + 1, 10).await.unwrap().into_iter().map(|mail| mail.sealed).collect();
    assert_eq!(sealed, [b"2", b"3", b"4", b"6", b"7", b"5"]);
}

async fn the_queue_is_bounded(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    assert!(queue(&store, &new(&alice, "confirm", b"1"), 1).await);
    assert!(!queue(&store, &new(&bob, "confirm", b"2"), 1).await);
    assert!(queue(&store, &new(&alice, "confirm", b"3"), 1).await);
}

async fn mails_about_one_account_leave_room_for_those_of_others(store: Store) {
    let (alice, bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    let news = |person: &Alice| NewMail { replaces: false, ..new(person, "news", b"1") };
    let most = Most { of_all: 100, of_one: 3 };
    for _ in 0..3 {
        assert!(queue_within(&store, &news(&alice), most).await);
    }
    assert!(!queue_within(&store, &news(&alice), most).await);
    assert!(queue_within(&store, &news(&bob), most).await);
}

async fn many_claim_each_mail_once(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    for n in 0..40 {
        let kind = format!("kind {n}");
        assert!(queue(&store, &new(&alice, &kind, b"x"), 100).await);
    }
    let claims = (0..8).map(|_| mail::claim(&store.db, T0, T0 + MINUTE, 10));
    let mut ids = Vec::new();
    for claimed in futures::future::join_all(claims).await {
        ids.extend(claimed.unwrap().into_iter().map(|mail| mail.id));
    }
    ids.extend(mail::claim(&store.db, T0, T0 + MINUTE, 40).await.unwrap().into_iter().map(|mail| mail.id));
    ids.sort_unstable();
    assert_eq!(ids.len(), 40);
    ids.dedup();
    assert_eq!(ids.len(), 40);
}
