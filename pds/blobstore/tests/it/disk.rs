//! Properties of the disk store only.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pds_blobstore::{BlobKey, BlobStore, Disk, Error};
use tempfile::TempDir;

use crate::harness::pattern;

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
}

fn open(folder: &TempDir) -> Disk {
    Disk::open(folder.path().join("blobs"), folder.path().join("tmp")).unwrap()
}

#[tokio::test]
async fn uploads_use_their_own_folder_and_leave_it_empty() {
    let folder = TempDir::new().unwrap();
    let (disk, tmp) = (open(&folder), folder.path().join("tmp"));
    let mut dropped = disk.begin(&BlobKey::random()).await.unwrap();
    dropped.write(pattern(10)).await.unwrap();
    assert_eq!(files(&tmp), 1);
    drop(dropped);
    disk.put(&BlobKey::random(), pattern(10)).await.unwrap();
    assert_eq!(files(&tmp), 0);
}

#[tokio::test]
async fn objects_survive_a_new_process() {
    let folder = TempDir::new().unwrap();
    let key = BlobKey::random();
    open(&folder).put(&key, pattern(10)).await.unwrap();
    assert_eq!(open(&folder).get(&key, None).await.unwrap().bytes().await.unwrap(), pattern(10));
}

#[tokio::test]
async fn a_sweep_removes_what_a_killed_process_left() {
    let folder = TempDir::new().unwrap();
    let disk = open(&folder);
    fs::write(folder.path().join("tmp/left-behind"), "half").unwrap();
    assert_eq!(disk.sweep(SystemTime::now() - Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(disk.sweep(SystemTime::now() + Duration::from_secs(3600)).await.unwrap(), 1);
    assert_eq!(files(&folder.path().join("tmp")), 0);
}

#[tokio::test]
async fn a_lost_folder_is_not_healthy() {
    let folder = TempDir::new().unwrap();
    let disk = open(&folder);
    fs::remove_dir_all(folder.path().join("tmp")).unwrap();
    assert!(disk.health().await.unwrap_err().is_unavailable());
}

#[test]
fn two_file_systems_are_refused() {
    let folder = TempDir::new().unwrap();
    let Ok(elsewhere) = TempDir::new_in("/dev/shm") else { return };
    let result = Disk::open(folder.path(), elsewhere.path());
    assert!(matches!(result, Err(Error::Unusable { .. })), "{result:?}");
}
