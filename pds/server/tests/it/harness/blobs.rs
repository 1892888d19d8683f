//! A blob store with a switch to be away; in memory unless a test says where.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use async_trait::async_trait;
use pds_blobstore::{Blob, BlobKey, BlobStore, Error, Link, Memory, Result, Upload};
use url::Url;

#[derive(Debug)]
pub(crate) struct Blobs {
    inner: Arc<dyn BlobStore>,
    pub(crate) away: AtomicBool,
    /// Keys of objects that cannot be deleted.
    pub(crate) stuck: Mutex<HashSet<String>>,
}

impl Blobs {
    pub(super) fn over(inner: Arc<dyn BlobStore>) -> Self {
        Self { inner, away: AtomicBool::default(), stuck: Mutex::default() }
    }

    fn present(&self) -> Result<()> {
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::TimedOut { operation: "test", subject: "store".to_owned() });
        }
        Ok(())
    }
}

impl Default for Blobs {
    fn default() -> Self {
        Self::over(Arc::new(Memory::new()))
    }
}

#[async_trait]
impl BlobStore for Blobs {
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>> {
        self.present()?;
        self.inner.begin(key).await
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        self.present()?;
        self.inner.get(key, range).await
    }

    async fn link(&self, key: &BlobKey, link: &Link<'_>) -> Result<Option<Url>> {
        self.inner.link(key, link).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.present()?;
        if self.stuck.lock().unwrap().contains(key.as_str()) {
            return Err(Error::Unusable { reason: "the object is locked".to_owned() });
        }
        self.inner.delete(key).await
    }

    async fn exists(&self, key: &BlobKey) -> Result<bool> {
        self.present()?;
        self.inner.exists(key).await
    }

    async fn health(&self) -> Result<()> {
        self.present()?;
        self.inner.health().await
    }

    async fn sweep(&self, begun_before: SystemTime) -> Result<u64> {
        self.present()?;
        self.inner.sweep(begun_before).await
    }
}
