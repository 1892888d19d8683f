//! Lexicons that others publish.

use pds_store::lexicon::{self, Lexicon, MOST, MOST_BYTES};

use crate::harness::{Store, cid, on_both};

on_both!(the_last_version_is_kept_until_it_is_forgotten, so_many_are_kept_and_the_oldest_go_first);

fn found(n: i64, checked_at: i64) -> Lexicon {
    Lexicon {
        uri: format!("at://did:plc:x/a/{n}"),
        cid: cid(&n.to_string()),
        document: format!("{{\"n\":{n}}}"),
        checked_at,
    }
}

async fn the_last_version_is_kept_until_it_is_forgotten(store: Store) {
    let (db, get) = (&store.db, async |nsid: &str| lexicon::get(&store.db, nsid).await.unwrap());
    assert_eq!(get("a.b.c").await, None);
    assert!(lexicon::put(db, "a.b.c", &found(1, 10)).await.unwrap());
    assert!(lexicon::put(db, "a.b.d", &found(2, 30)).await.unwrap());
    assert_eq!(get("a.b.c").await, Some(found(1, 10)));
    assert!(lexicon::put(db, "a.b.c", &found(3, 20)).await.unwrap());
    assert!(!lexicon::put(db, "a.b.c", &found(4, 19)).await.unwrap(), "another replica found it later");
    assert_eq!(get("a.b.c").await, Some(found(3, 20)));
    assert_eq!(lexicon::forget_before(db, 21).await.unwrap(), 1);
    assert_eq!((get("a.b.c").await, get("a.b.d").await), (None, Some(found(2, 30))));
    lexicon::forget(db, "a.b.d").await.unwrap();
    assert_eq!(get("a.b.d").await, None);

    assert!(lexicon::put(db, "a.b.c", &found(5, 1)).await.unwrap());

    // Names that strangers invent fill no database: what was found longest ago makes room.
    let long = |n: i64| Lexicon { document: "x".repeat(128 << 10), ..found(n, 40 + n) };
    let most = MOST_BYTES / (128 << 10);
    for n in 0..most + 20 {
        assert!(lexicon::put(db, &format!("a.b.long{n}"), &long(n)).await.unwrap(), "{n}");
    }
    assert_eq!(get("a.b.c").await, None);
    assert_eq!(get("a.b.long19").await, None);
    assert_eq!(get("a.b.long20").await, Some(long(20)), "all of them together have the bytes that are allowed");
    assert_eq!(lexicon::forget_before(db, i64::MAX).await.unwrap(), u64::try_from(most).unwrap());
}

async fn so_many_are_kept_and_the_oldest_go_first(store: Store) {
    let (db, get) = (&store.db, async |nsid: &str| lexicon::get(&store.db, nsid).await.unwrap());
    for n in 0..MOST {
        lexicon::put(db, &format!("a.b.n{n}"), &found(n, 40 + n)).await.unwrap();
    }
    let later = found(9, 50 + MOST);
    assert!(lexicon::put(db, "a.b.n0", &later).await.unwrap());
    assert!(get("a.b.n1").await.is_some(), "one that is there is renewed");
    assert!(lexicon::put(db, "a.b.new", &later).await.unwrap());
    assert_eq!(
        (get("a.b.n0").await, get("a.b.n1").await, get("a.b.new").await),
        (Some(later.clone()), None, Some(later))
    );
}
