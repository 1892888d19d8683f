//! A store in a directory. Objects are files `<location>/<first two letters of the key>/<key>`.
//!
//! An upload is written to the directory of unfinished uploads, synced and renamed to its place. Then the directory is synced. A finished
//! object therefore survives a power failure, and an unfinished one is never visible.

use std::fs;
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::{Blob, BlobKey, BlobStore, Error, Result, Upload, cut};

const READ_BYTES: usize = 64 << 10;
/// Each write runs on another thread, so small chunks are collected first.
const WRITE_BYTES: usize = 256 << 10;

/// A store in a directory.
#[derive(Debug, Clone)]
pub struct Disk {
    location: PathBuf,
    tmp_location: PathBuf,
    /// Looks at the disk under way.
    looks: Arc<Semaphore>,
}

impl Disk {
    /// Opens the store. Creates both directories if they do not exist.
    ///
    /// # Errors
    /// If a directory cannot be created, or if they are on different file systems, between which files cannot be renamed.
    pub fn open(location: impl Into<PathBuf>, tmp_location: impl Into<PathBuf>) -> Result<Self> {
        let looks = Arc::new(Semaphore::new(1));
        let disk = Self { location: location.into(), tmp_location: tmp_location.into(), looks };
        let device = |folder: &Path| {
            fs::create_dir_all(folder)?;
            fs::metadata(folder).map(|metadata| metadata.dev())
        };
        let device = |folder: &Path| device(folder).map_err(Error::failed("open", folder.display()));
        if device(&disk.location)? != device(&disk.tmp_location)? {
            let (tmp, location) = (disk.tmp_location.display(), disk.location.display());
            return Err(Error::Unusable { reason: format!("{tmp} and {location} must be on the same file system") });
        }
        Ok(disk)
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.location.join(&key.as_str()[..2]).join(key.as_str())
    }

    fn look(&self) -> Result<()> {
        fs::metadata(&self.location).map_err(Error::failed("health", self.location.display()))?;
        let probe = DeletedOnDrop(Some(self.tmp_location.join(format!("health.{}", Uuid::new_v4().simple()))));
        fs::File::create_new(probe.path()).map(drop).map_err(Error::failed("health", self.tmp_location.display()))
    }

    async fn open_file(&self, key: &BlobKey) -> Result<File> {
        File::open(self.path(key)).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NotFound { key: key.clone() },
            _ => Error::failed("get", key)(error),
        })
    }
}

#[async_trait]
impl BlobStore for Disk {
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>> {
        let tmp = DeletedOnDrop(Some(self.tmp_location.join(format!("{key}.{}", Uuid::new_v4().simple()))));
        let file = File::create_new(tmp.path()).await.map_err(Error::failed("begin", key))?;
        Ok(Box::new(DiskUpload { file, buffer: Vec::new(), tmp, target: self.path(key), key: key.clone(), size: 0 }))
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        let mut file = self.open_file(key).await?;
        let size = file.metadata().await.map_err(Error::failed("get", key))?.len();
        let range = cut(range, size).ok_or_else(|| Error::OutOfRange { key: key.clone() })?;
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start)).await.map_err(Error::failed("get", key))?;
        }
        let reader = file.take(range.end - range.start);
        let key = key.clone();
        let stream = ReaderStream::with_capacity(reader, READ_BYTES);
        Ok(Blob { size, range, stream: stream.map_err(move |error| Error::failed("get", &key)(error)).boxed() })
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(Error::failed("delete", key)),
        }
    }

    async fn exists(&self, key: &BlobKey) -> Result<bool> {
        tokio::fs::try_exists(self.path(key)).await.map_err(Error::failed("exists", key))
    }

    /// Creates and deletes an empty file, because a full or read-only disk can still be read. One look at a time: each keeps a thread as long as
    /// the disk does not answer.
    async fn health(&self) -> Result<()> {
        let (disk, place) = (self.clone(), self.looks.clone().acquire_owned().await);
        let looked = blocking(move || {
            let _place = place;
            Ok(disk.look())
        });
        looked.await.map_err(Error::failed("health", self.location.display()))?
    }

    async fn sweep(&self, begun_before: SystemTime) -> Result<u64> {
        let folder = self.tmp_location.clone();
        blocking(move || {
            let mut swept = 0;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                // Another sweep, or the upload itself, may have been faster.
                let is_old = |m: fs::Metadata| m.is_file() && m.modified().is_ok_and(|time| time < begun_before);
                if entry.metadata().is_ok_and(is_old) && fs::remove_file(entry.path()).is_ok() {
                    swept += 1;
                }
            }
            Ok(swept)
        })
        .await
        .map_err(Error::failed("sweep", self.tmp_location.display()))
    }
}

struct DiskUpload {
    file: File,
    buffer: Vec<u8>,
    tmp: DeletedOnDrop,
    target: PathBuf,
    key: BlobKey,
    size: u64,
}

#[async_trait]
impl Upload for DiskUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.size += chunk.len() as u64;
        self.buffer.extend_from_slice(&chunk);
        if self.buffer.len() >= WRITE_BYTES {
            self.file.write_all(&self.buffer).await.map_err(Error::failed("write", &self.key))?;
            self.buffer.clear();
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        let Self { mut file, buffer, tmp, target, key, size } = *self;
        file.write_all(&buffer).await.map_err(Error::failed("finish", &key))?;
        file.flush().await.map_err(Error::failed("finish", &key))?;
        let file = file.into_std().await;
        // If this future is dropped, the thread continues. Its result is then dropped too, which deletes the object.
        let placed = blocking(move || place(&file, tmp, target)).await.map_err(Error::failed("finish", &key))?;
        placed.keep();
        Ok(size)
    }
}

/// Syncs the file, renames it to its place, and syncs the directories that changed.
fn place(file: &fs::File, tmp: DeletedOnDrop, target: PathBuf) -> io::Result<DeletedOnDrop> {
    file.sync_all()?;
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        folder.parent().map_or(Ok(()), sync_folder)?;
    }
    fs::rename(tmp.path(), &target)?;
    tmp.keep();
    let placed = DeletedOnDrop(Some(target.clone()));
    sync_folder(folder)?;
    Ok(placed)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A file that is deleted on drop, unless it is kept.
struct DeletedOnDrop(Option<PathBuf>);

impl DeletedOnDrop {
    fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for DeletedOnDrop {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "could not delete {}, the file of an unfinished upload", path.display());
        }
    }
}
