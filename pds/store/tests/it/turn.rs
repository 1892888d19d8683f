//! Turns at what one replica is to do.

use std::time::Duration;

use pds_store::turn::take;

use crate::harness::{Store, T0, on_both};

on_both!(one_replica_takes_a_turn_and_the_next_is_due_later);

async fn one_replica_takes_a_turn_and_the_next_is_due_later(store: Store) {
    let other = store.another().await;
    let minutes = |count: u64| T0 + i64::try_from(Duration::from_secs(60 * count).as_micros()).unwrap();
    let due = async |db, at| take(db, "crawl", minutes(at), minutes(at.saturating_sub(20))).await.unwrap();

    let (here, there) = tokio::join!(due(&store.db, 30), due(&other, 30));

    assert_eq!(u8::from(here) + u8::from(there), 1);
    assert!(!due(&other, 49).await);
    assert!(due(&other, 50).await && !due(&store.db, 50).await);
    assert!(take(&store.db, "another", T0, T0 - 1).await.unwrap());
}
