//! A blob store in memory, with a switch to be away.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use async_trait::async_trait;
use pds_blobstore::{Blob, BlobKey, BlobStore, Error, Memory, Result, Upload};

#[derive(Debug, Default)]
pub(crate) struct Blobs {
    memory: Memory,
    pub(crate) away: AtomicBool,
}

#[async_trait]
impl BlobStore for Blobs {
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>> {
        self.memory.begin(key).await
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        self.memory.get(key, range).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.memory.delete(key).await
    }

    async fn exists(&self, key: &BlobKey) -> Result<bool> {
        self.memory.exists(key).await
    }

    async fn health(&self) -> Result<()> {
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::TimedOut { operation: "health", subject: "store".to_owned() });
        }
        Ok(())
    }

    async fn sweep(&self, begun_before: SystemTime) -> Result<u64> {
        self.memory.sweep(begun_before).await
    }
}
