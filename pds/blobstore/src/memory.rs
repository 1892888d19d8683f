//! A store in memory, for tests.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::{Blob, BlobKey, BlobStore, Error, Result, Upload, cut};

/// A store in memory. Clones share the objects.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    objects: Arc<Mutex<HashMap<BlobKey, Bytes>>>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<BlobKey, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BlobStore for Memory {
    async fn begin(&self, key: &BlobKey) -> Result<Box<dyn Upload>> {
        Ok(Box::new(MemoryUpload { store: self.clone(), key: key.clone(), bytes: BytesMut::new() }))
    }

    async fn get(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        let bytes = self.objects().get(key).cloned().ok_or_else(|| Error::NotFound { key: key.clone() })?;
        let size = bytes.len() as u64;
        let range = cut(range, size).ok_or_else(|| Error::OutOfRange { key: key.clone() })?;
        // In range of the slice, so in range of usize.
        let piece = bytes.slice(range.start as usize..range.end as usize);
        Ok(Blob { size, range, stream: futures::stream::once(async { Ok(piece) }).boxed() })
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.objects().remove(key);
        Ok(())
    }

    async fn exists(&self, key: &BlobKey) -> Result<bool> {
        Ok(self.objects().contains_key(key))
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn sweep(&self, _begun_before: SystemTime) -> Result<u64> {
        Ok(0)
    }
}

struct MemoryUpload {
    store: Memory,
    key: BlobKey,
    bytes: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        let size = self.bytes.len() as u64;
        self.store.objects().insert(self.key, self.bytes.freeze());
        Ok(size)
    }
}
