//! Lexicons that others publish.

use pds_store::lexicon::{self, Lexicon, MOST};

use crate::harness::{Store, cid, on_both};

on_both!(the_last_version_is_kept_until_it_is_forgotten);

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

    // Names that strangers invent fill no database.
    for n in 0..=MOST {
        assert_eq!(lexicon::put(db, &format!("a.b.n{n}"), &found(n, 40)).await.unwrap(), n < MOST, "{n}");
    }
    assert!(lexicon::put(db, "a.b.n1", &found(9, 41)).await.unwrap(), "one that is there is renewed");
}
