//! The contract of all stores. Each test runs in memory, on disk and on a real S3 server.

use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt;
use pds_blobstore::{BlobKey, Error, PART_BYTES};

use crate::harness::{Store, pattern};

macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod memory { $(#[tokio::test] async fn $test() { super::$test(crate::harness::memory().await).await })* }
        mod disk { $(#[tokio::test] async fn $test() { super::$test(crate::harness::disk().await).await })* }
        mod s3 { $(#[tokio::test] async fn $test() { super::$test(crate::harness::s3().await).await })* }
        mod s3_with_checksums {
            $(#[tokio::test] async fn $test() { super::$test(crate::harness::s3_with_checksums().await).await })*
        }
    };
}

on_every_store! {
    an_object_is_read_back_whole_and_in_ranges
    an_object_without_bytes_is_an_object
    a_range_outside_is_refused
    a_missing_object_is_not_found
    an_upload_is_invisible_until_it_is_finished
    a_dropped_upload_leaves_nothing
    deleting_twice_succeeds
    large_objects_of_every_awkward_size_survive
    uploads_at_once_do_not_mix
    a_healthy_store_says_so
    a_sweep_spares_finished_objects
}

async fn an_object_is_read_back_whole_and_in_ranges(store: Store) {
    let (key, bytes) = (BlobKey::random(), pattern(100_000));
    let mut upload = store.blobs.begin(&key).await.unwrap();
    for chunk in bytes.chunks(7_001) {
        upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap(), 100_000);

    let whole = store.blobs.get(&key, None).await.unwrap();
    assert_eq!((whole.size, whole.range.clone()), (100_000, 0..100_000));
    assert_eq!(whole.bytes().await.unwrap(), bytes);

    for (asked, given) in
        [(5..10, 5..10), (0..1, 0..1), (99_999..100_000, 99_999..100_000), (99_000..u64::MAX, 99_000..100_000)]
    {
        let part = store.blobs.get(&key, Some(asked)).await.unwrap();
        assert_eq!((part.size, part.range.clone()), (100_000, given.clone()));
        assert_eq!(part.bytes().await.unwrap(), bytes.slice(given.start as usize..given.end as usize));
    }
}

async fn an_object_without_bytes_is_an_object(store: Store) {
    let key = BlobKey::random();
    store.blobs.put(&key, Bytes::new()).await.unwrap();
    let blob = store.blobs.get(&key, None).await.unwrap();
    assert_eq!(blob.size, 0);
    assert!(blob.bytes().await.unwrap().is_empty());
    assert!(matches!(store.blobs.get(&key, Some(0..1)).await, Err(Error::OutOfRange { .. })));
}

async fn a_range_outside_is_refused(store: Store) {
    let key = BlobKey::random();
    store.blobs.put(&key, pattern(10)).await.unwrap();
    for range in [10..11, 5..5, 1_000..2_000] {
        let result = store.blobs.get(&key, Some(range.clone())).await;
        assert!(matches!(result, Err(Error::OutOfRange { .. })), "{range:?}: {result:?}");
    }
}

async fn a_missing_object_is_not_found(store: Store) {
    let key = BlobKey::random();
    assert!(matches!(store.blobs.get(&key, None).await, Err(Error::NotFound { .. })));
    assert!(!store.blobs.exists(&key).await.unwrap());
}

async fn an_upload_is_invisible_until_it_is_finished(store: Store) {
    let key = BlobKey::random();
    let mut upload = store.blobs.begin(&key).await.unwrap();
    upload.write(pattern(PART_BYTES + 1)).await.unwrap();
    assert!(!store.blobs.exists(&key).await.unwrap());
    upload.finish().await.unwrap();
    assert!(store.blobs.exists(&key).await.unwrap());
}

async fn a_dropped_upload_leaves_nothing(store: Store) {
    let key = BlobKey::random();
    let mut upload = store.blobs.begin(&key).await.unwrap();
    upload.write(pattern(PART_BYTES * 2 + 5)).await.unwrap();
    drop(upload);
    assert!(!store.blobs.exists(&key).await.unwrap());
}

async fn deleting_twice_succeeds(store: Store) {
    let key = BlobKey::random();
    store.blobs.put(&key, pattern(3)).await.unwrap();
    store.blobs.delete(&key).await.unwrap();
    assert!(matches!(store.blobs.get(&key, None).await, Err(Error::NotFound { .. })));
    store.blobs.delete(&key).await.unwrap();
}

async fn large_objects_of_every_awkward_size_survive(store: Store) {
    for length in [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, PART_BYTES * 2, PART_BYTES * 3 + 17] {
        let (key, bytes) = (BlobKey::random(), pattern(length));
        let mut upload = store.blobs.begin(&key).await.unwrap();
        for chunk in bytes.chunks(1_000_003) {
            upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        assert_eq!(upload.finish().await.unwrap(), length as u64);
        assert!(store.blobs.get(&key, None).await.unwrap().bytes().await.unwrap() == bytes, "{length} bytes differ");
        let tail = store.blobs.get(&key, Some(length as u64 - 3..length as u64)).await.unwrap();
        assert_eq!(tail.bytes().await.unwrap(), bytes.slice(length - 3..));
    }
}

async fn uploads_at_once_do_not_mix(store: Store) {
    let all = (0..16_usize).map(|i| {
        let blobs = store.blobs.clone();
        async move {
            let (key, bytes) = (BlobKey::random(), pattern(10_000 * i + 1));
            blobs.put(&key, bytes.clone()).await.unwrap();
            let mut stream = blobs.get(&key, None).await.unwrap().stream;
            let mut read = Vec::new();
            while let Some(piece) = stream.try_next().await.unwrap() {
                read.extend_from_slice(&piece);
            }
            assert!(read == bytes);
        }
    });
    futures::future::join_all(all).await;
}

async fn a_healthy_store_says_so(store: Store) {
    store.blobs.health().await.unwrap();
}

async fn a_sweep_spares_finished_objects(store: Store) {
    let key = BlobKey::random();
    store.blobs.put(&key, pattern(5)).await.unwrap();
    let later = SystemTime::now() + std::time::Duration::from_secs(3600);
    assert_eq!(store.blobs.sweep(later).await.unwrap(), 0);
    assert!(store.blobs.exists(&key).await.unwrap());
}
