//! Storage of blobs: a directory, an S3 bucket, or memory, behind one trait.
//!
//! Stores opaque objects under random keys. Knows nothing of accounts, CIDs or media types: the database maps blobs to keys. Objects are never
//! renamed, listed or searched.

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
pub use s3::{Checksum as S3Checksum, Credentials, Objects as S3Objects, Options as S3Options, PART_BYTES, S3};
use url::Url;

/// A store of immutable objects. All methods may run concurrently, on all replicas.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// Starts writing an object. Nothing is visible under the key until [`Upload::finish`] has returned.
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>>;

    /// Opens an object, or the part of it in `range`. A range that ends after the object is shortened.
    ///
    /// # Errors
    /// [`Error::NotFound`]. [`Error::OutOfRange`] if the range is empty or begins at or after the end of the object.
    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob>;

    /// A URL under which anyone can read the object from the store for some time. `None` if only this process can read the store. Does not
    /// check that the object exists.
    async fn link(&self, _key: &BlobKey, _link: &Link<'_>) -> Result<Option<Url>> {
        Ok(None)
    }

    /// Deletes an object. Succeeds if there is none.
    async fn delete(&self, key: &BlobKey) -> Result<()>;

    /// Whether a finished object exists under the key.
    async fn exists(&self, key: &BlobKey) -> Result<bool>;

    /// Succeeds if the store accepts requests. Cheap enough for a readiness probe.
    async fn health(&self) -> Result<()>;

    /// Deletes the remains of unfinished uploads that began before `begun_before`. Deletes nothing whose name is not a [`BlobKey`]. Returns the
    /// number of deleted uploads.
    async fn sweep(&self, begun_before: SystemTime) -> Result<u64>;

    /// Writes an object that is in memory.
    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        let mut upload = self.begin(key).await?;
        upload.write(bytes).await?;
        upload.finish().await.map(drop)
    }
}

/// An object that is being written. If it is dropped before [`Upload::finish`] has returned, there will be no object.
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes. Waits for slow storage, so that one upload has at most 16 MiB in memory. After an error, the upload must be dropped.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object durable and visible. Returns its size in bytes.
    async fn finish(self: Box<Self>) -> Result<u64>;
}

/// How the store responds to requests for a link.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// `Content-Type` of the response.
    pub content_type: &'a str,
    /// `Content-Disposition` of the response.
    pub content_disposition: &'a str,
    /// `Cache-Control` of the response.
    pub cache_control: &'a str,
    /// How long the link is valid; at most a week.
    pub valid: Duration,
}

/// An object that is open for reading.
pub struct Blob {
    /// Size of the whole object in bytes, not only of `range`.
    pub size: u64,
    /// The part of the object that the stream contains.
    pub range: Range<u64>,
    /// The bytes in pieces of any size.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

impl Blob {
    /// Reads all bytes into memory. Only for objects that are known to be small.
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

/// The part of `range` that lies in an object of that size. `None` if there is none.
fn cut(range: Option<Range<u64>>, size: u64) -> Option<Range<u64>> {
    let Some(range) = range else { return Some(0..size) };
    let end = range.end.min(size);
    (range.start < end).then_some(range.start..end)
}
