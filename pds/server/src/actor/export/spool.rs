//! The part of an export that a slow reader has still to take, on disk. All exports share the space.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::task::run_blocking;

/// Bytes that one permit of the disk space stands for.
pub(in crate::actor) const PIECE_BYTES: usize = 64 * 1024;

/// A file without a name: nothing is left of it when the process ends.
pub(super) struct Spool {
    file: Arc<File>,
    bytes: u64,
    /// Its part of the disk space.
    space: OwnedSemaphorePermit,
}

impl Spool {
    /// An empty file. `disk` is the space that all exports share.
    pub(super) async fn new(disk: &Arc<Semaphore>) -> io::Result<Self> {
        let file = run_blocking(tempfile::tempfile).await?;
        let none = disk.clone().try_acquire_many_owned(0).map_err(|_| full())?;
        Ok(Self { file: Arc::new(file), bytes: 0, space: none })
    }

    /// Bytes written.
    pub(super) fn len(&self) -> u64 {
        self.bytes
    }

    /// # Errors
    /// [`io::ErrorKind::StorageFull`] if the space is used up, or the disk failed.
    pub(super) async fn append(&mut self, piece: Bytes, disk: &Arc<Semaphore>) -> io::Result<()> {
        let pieces = u32::try_from(piece.len().div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        self.space.merge(disk.clone().try_acquire_many_owned(pieces).map_err(|_| full())?);
        let (file, at, bytes) = (self.file.clone(), self.bytes, piece.len() as u64);
        run_blocking(move || file.write_all_at(&piece, at)).await?;
        self.bytes += bytes;
        Ok(())
    }

    /// Up to `most` bytes from `at`.
    pub(super) async fn read(&self, at: u64, most: usize) -> io::Result<Bytes> {
        let (file, bytes) = (self.file.clone(), (self.bytes - at).min(most as u64));
        let piece = run_blocking(move || {
            let mut piece = vec![0; usize::try_from(bytes).unwrap_or_default()];
            file.read_exact_at(&mut piece, at).map(|()| piece)
        });
        Ok(piece.await?.into())
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "slow readers of exports have used up PDS_EXPORT_SPOOL")
}
