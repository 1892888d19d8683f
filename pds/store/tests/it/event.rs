//! The event sequence: numbering, paging, position by time, pruning.

use bytes::Bytes;
use pds_repo::event::Frame;
use pds_store::{
    Dialect,
    event::{self, Batch},
};
use sqlx::{Connection, PgConnection};

use crate::harness::{Store, T0, frame, label, on_both, run};

on_both!(
    an_empty_sequence_has_no_events,
    numbers_have_no_gap_and_survive_a_rollback,
    a_page_begins_after_any_number,
    a_page_ends_at_its_budget_but_has_one_batch,
    large_payloads_come_back_as_they_were,
    a_time_has_a_position,
    pruning_leaves_a_gapless_end,
    pruning_everything_keeps_the_number,
);

async fn append(store: &Store, labels: &[&str], at: i64) -> i64 {
    let frames: Vec<_> = labels.iter().map(|label| frame(label)).collect();
    let mut tx = store.begin().await;
    let first_seq = event::append(&mut tx, &frames, at).await.unwrap();
    tx.commit().await.unwrap();
    first_seq
}

fn read(batches: &[Batch]) -> Vec<(i64, String)> {
    batches.iter().flat_map(|batch| batch.frames().unwrap()).map(|(seq, frame)| (seq, label(&frame))).collect()
}

async fn an_empty_sequence_has_no_events(store: Store) {
    assert_eq!(event::head(&store.db).await.unwrap(), 0);
    assert_eq!(event::oldest(&store.db).await.unwrap(), None);
    assert_eq!(event::at(&store.db, 0).await.unwrap(), None);
    assert_eq!(event::after(&store.db, 0, usize::MAX).await.unwrap().batches, []);
}

async fn numbers_have_no_gap_and_survive_a_rollback(store: Store) {
    assert_eq!(append(&store, &["a", "b"], T0).await, 1);
    let mut tx = store.begin().await;
    assert_eq!(event::append(&mut tx, &[frame("lost")], T0).await.unwrap(), 3);
    tx.rollback().await.unwrap();
    let mut tx = store.begin().await;
    assert_eq!(event::append(&mut tx, &[], T0).await.unwrap(), 3);
    tx.commit().await.unwrap();

    assert_eq!(append(&store, &["c"], T0).await, 3);

    let batches = event::after(&store.db, 0, usize::MAX).await.unwrap().batches;
    assert_eq!(read(&batches), [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())]);
    assert_eq!(batches.iter().map(Batch::last_seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(event::head(&store.db).await.unwrap(), 3);
}

async fn a_page_begins_after_any_number(store: Store) {
    append(&store, &["a", "b", "c"], T0).await;
    append(&store, &["d"], T0).await;
    let first = async |seq| {
        event::after(&store.db, seq, usize::MAX).await.unwrap().batches.first().map(|batch| batch.first_seq)
    };

    assert_eq!(first(0).await, Some(1));
    assert_eq!(first(-5).await, Some(1));
    assert_eq!(first(1).await, Some(1), "the rest of a batch that a reader left half-way");
    assert_eq!(first(2).await, Some(1));
    assert_eq!(first(3).await, Some(4));
    assert_eq!(first(4).await, None);
    assert_eq!(first(i64::MAX).await, None);
}

async fn a_page_ends_at_its_budget_but_has_one_batch(store: Store) {
    for n in 0..5 {
        append(&store, &[&n.to_string()], T0).await;
    }
    let size = event::after(&store.db, 0, 1).await.unwrap().batches[0].stored_bytes();
    let count = async |budget| event::after(&store.db, 0, budget).await.unwrap().batches.len();

    assert_eq!(count(0).await, 1);
    assert_eq!(count(1).await, 1);
    assert_eq!(count(size).await, 1);
    assert_eq!(count(size + 1).await, 2);
    assert_eq!(count(size * 5).await, 5);
}

async fn large_payloads_come_back_as_they_were(store: Store) {
    let mut noise = 1_u32;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    let frames = [
        Frame { prefix: Bytes::from(vec![b'x'; 100_000]), suffix: Bytes::from_static(b"compresses") },
        Frame { prefix: Bytes::from(random), suffix: Bytes::from_static(b"does not") },
    ];
    for frame in &frames {
        let mut tx = store.begin().await;
        event::append(&mut tx, std::slice::from_ref(frame), T0).await.unwrap();
        tx.commit().await.unwrap();
    }

    let mut batches = Vec::new();
    while batches.len() < frames.len() {
        let page = event::after(&store.db, batches.last().map_or(0, Batch::last_seq), usize::MAX).await.unwrap();
        assert!(!page.batches.is_empty());
        batches.extend(page.batches);
    }

    assert!(batches[0].stored_bytes() < 1000);
    for (batch, frame) in batches.iter().zip(&frames) {
        let [(_, read)] = &batch.frames().unwrap()[..] else { panic!("one frame") };
        assert_eq!((&read.prefix, &read.suffix), (&frame.prefix, &frame.suffix));
    }
}

async fn a_time_has_a_position(store: Store) {
    append(&store, &["a", "b"], T0).await;
    append(&store, &["c"], T0 + 10).await;

    assert_eq!(event::at(&store.db, 0).await.unwrap(), Some(1));
    assert_eq!(event::at(&store.db, T0).await.unwrap(), Some(1));
    assert_eq!(event::at(&store.db, T0 + 1).await.unwrap(), Some(3));
    assert_eq!(event::at(&store.db, T0 + 11).await.unwrap(), None);
}

async fn prune(store: &Store, before: i64, limit: u32) -> u64 {
    let mut tx = store.begin().await;
    let pruned = event::prune_before(&mut tx, before, limit).await.unwrap();
    tx.commit().await.unwrap();
    pruned
}

async fn pruning_leaves_a_gapless_end(store: Store) {
    append(&store, &["a", "b"], T0).await;
    append(&store, &["c"], T0 + 20).await;
    // A replica whose clock is behind: its event is "older" than the one before it.
    append(&store, &["d"], T0 + 10).await;
    append(&store, &["e"], T0 + 30).await;

    assert_eq!(prune(&store, T0 + 15, 100).await, 1);

    assert_eq!(event::oldest(&store.db).await.unwrap(), Some(3));
    let left = event::after(&store.db, 0, usize::MAX).await.unwrap().batches;
    assert_eq!(read(&left).iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [3, 4, 5]);
}

async fn pruning_everything_keeps_the_number(store: Store) {
    for name in ["a", "b", "c"] {
        append(&store, &[name], T0).await;
    }

    assert_eq!(prune(&store, T0 + 1, 2).await, 2);
    assert_eq!(event::oldest(&store.db).await.unwrap(), Some(3));
    assert_eq!(prune(&store, T0 + 1, 2).await, 1);

    assert_eq!(event::oldest(&store.db).await.unwrap(), None);
    assert_eq!(event::head(&store.db).await.unwrap(), 3);
    assert_eq!(append(&store, &["d"], T0).await, 4);
}

/// What is cut into pieces for the TOAST table costs more than the rest of a commit.
#[tokio::test]
async fn many_frames_at_once_stay_in_the_table_on_postgres() {
    run(Dialect::Postgres, |store: Store| async move {
        let noise = |seed: u32| {
            let next = |state: &mut u32| {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some((*state >> 24) as u8)
            };
            (0..2_800).scan(seed, move |state, _| next(state)).collect::<Bytes>()
        };
        let frames: Vec<_> = (0..40).map(|n| Frame { prefix: noise(n), suffix: Bytes::from_static(b"end") }).collect();
        let mut tx = store.begin().await;
        assert_eq!(event::append(&mut tx, &frames, T0).await.unwrap(), 1);
        tx.commit().await.unwrap();

        let batches = event::after(&store.db, 0, usize::MAX).await.unwrap().batches;
        let read: Vec<_> = batches.iter().flat_map(|batch| batch.frames().unwrap()).collect();
        assert!(read.iter().map(|(seq, _)| *seq).eq(1..=40));
        assert!(read.iter().map(|(_, frame)| frame).eq(&frames));
        let mut connection = PgConnection::connect(&store.url).await.unwrap();
        let toast = "select pg_relation_size(reltoastrelid) from pg_class where relname = 'event'";
        assert_eq!(sqlx::query_scalar::<_, i64>(toast).fetch_one(&mut connection).await.unwrap(), 0);
        connection.close().await.unwrap();
    })
    .await;
}
