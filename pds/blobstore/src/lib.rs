//! Where the bytes of blobs are: a folder, a bucket, or memory, behind one trait.
//!
//! Owns opaque objects under random keys. Never knows accounts, CIDs or what a blob means: the database says which key
//! holds which blob, so nothing here is ever renamed, listed or searched.

mod disk;
mod error;
mod key;
mod memory;
mod s3;

use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::stream::BoxStream;

pub use disk::Disk;
pub use error::{Error, Result};
pub use key::{BlobKey, InvalidKey};
pub use memory::Memory;
pub use s3::{Checksum as S3Checksum, Credentials, Options as S3Options, PART_BYTES, S3};
use url::Url;

/// A store of immutable objects. All of its methods may run at once, from any replica.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// Starts writing an object. Nothing is visible under the key until [`Upload::finish`] has returned.
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>>;

    /// Opens an object, or the part of it inside `range` (cut at the object's end).
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::OutOfRange`] if the range is empty or begins at or after the end.
    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob>;

    /// Makes a URL under which everybody gets the object from the store itself for a while. `None` if only this process can read the
    /// store. Whether there is such an object is not looked at.
    async fn link(&self, _key: &BlobKey, _link: &Link<'_>) -> Result<Option<Url>> {
        Ok(None)
    }

    /// Removes an object; removing one that is not there succeeds.
    async fn delete(&self, key: &BlobKey) -> Result<()>;

    /// Whether there is a finished object under the key.
    async fn exists(&self, key: &BlobKey) -> Result<bool>;

    /// Succeeds if the store takes requests now. Cheap enough for a readiness probe.
    async fn health(&self) -> Result<()>;

    /// Removes what uploads begun before that instant left behind when their process died, under [`BlobKey`]s alone; how many there
    /// were.
    async fn sweep(&self, begun_before: SystemTime) -> Result<u64>;

    /// Writes a whole object at once.
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        let mut upload = self.begin(key).await?;
        upload.write(bytes).await?;
        upload.finish().await.map(drop)
    }
}

/// An object being written. Dropping it without [`Upload::finish`], or in the middle of it, leaves no object.
#[async_trait]
pub trait Upload: Send {
    /// Adds bytes. Slow storage makes this wait, so that at most 16 MiB are in memory. After an error only drop it.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object durable and visible; its size in bytes.
    async fn finish(self: Box<Self>) -> Result<u64>;
}

/// How a link is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The answer's `Content-Type`.
    pub content_type: &'a str,
    /// The answer's `Content-Disposition`.
    pub content_disposition: &'a str,
    /// The answer's `Cache-Control`.
    pub cache_control: &'a str,
    /// How long the link is good; at most a week.
    pub valid: Duration,
}

/// An opened object.
pub struct Blob {
    /// Size of the whole object in bytes.
    pub size: u64,
    /// Which of its bytes the stream gives.
    pub range: Range<u64>,
    /// The bytes, in pieces of whatever size.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

impl Blob {
    /// Reads everything into memory: for objects known to be small.
    pub async fn bytes(self) -> Result<Bytes> {
        let collect = |mut all: BytesMut, piece: Bytes| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        };
        self.stream.try_fold(BytesMut::new(), collect).await.map(BytesMut::freeze)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob").field("size", &self.size).field("range", &self.range).finish_non_exhaustive()
    }
}

/// The bytes to serve of an object of that size, or `None` if the range lies outside.
fn cut(range: Option<Range<u64>>, size: u64) -> Option<Range<u64>> {
    let Some(range) = range else { return Some(0..size) };
    let end = range.end.min(size);
    (range.start < end).then_some(range.start..end)
}
