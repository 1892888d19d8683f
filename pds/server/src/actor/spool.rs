//! What slow readers have still to take of exports, on disk, within the room that all of them share.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// What one permit of the room stands for.
pub(super) const PIECE: usize = 64 * 1024;

/// A file without a name: nothing is left of it when the process ends.
pub(super) struct Spool {
    file: Arc<File>,
    bytes: u64,
    room: OwnedSemaphorePermit,
}

impl Spool {
    pub(super) async fn new(room: &Arc<Semaphore>) -> io::Result<Self> {
        let file = blocking(tempfile::tempfile).await?;
        let none = room.clone().try_acquire_many_owned(0).map_err(|_| full())?;
        Ok(Self { file: Arc::new(file), bytes: 0, room: none })
    }

    /// Bytes written.
    pub(super) fn len(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn append(&mut self, piece: Bytes, room: &Arc<Semaphore>) -> io::Result<()> {
        let pieces = u32::try_from(piece.len().div_ceil(PIECE)).unwrap_or(u32::MAX);
        self.room.merge(room.clone().try_acquire_many_owned(pieces).map_err(|_| full())?);
        let (file, at, bytes) = (self.file.clone(), self.bytes, piece.len() as u64);
        blocking(move || file.write_all_at(&piece, at)).await?;
        self.bytes += bytes;
        Ok(())
    }

    /// Up to `most` bytes from `at`.
    pub(super) async fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        let (file, bytes) = (self.file.clone(), (self.bytes - at).min(most as u64));
        let piece = blocking(move || {
            let mut piece = vec![0; usize::try_from(bytes).unwrap_or_default()];
            file.read_exact_at(&mut piece, at).map(|()| piece)
        });
        Ok(piece.await?.into())
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "slow readers of exports have used up PDS_EXPORT_SPOOL")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
