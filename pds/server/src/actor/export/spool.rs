//! The part of an export that a slow reader has still to take, on disk.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;

use super::disk::{Disk, Space};
use crate::task::run_blocking;

/// A file without a name: nothing is left of it when the process ends.
pub(super) struct Spool {
    file: Arc<File>,
    bytes: u64,
    space: Space,
}

impl Spool {
    /// An empty file. `disk` is the space that all exports share.
    pub(super) async fn new(disk: &Disk) -> io::Result<Self> {
        let file = run_blocking(tempfile::tempfile).await?;
        Ok(Self { file: Arc::new(file), bytes: 0, space: disk.space() })
    }

    /// Its part of the disk space.
    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// Bytes written.
    pub(super) fn len(&self) -> u64 {
        self.bytes
    }

    /// # Errors
    /// [`io::ErrorKind::StorageFull`] if the space is used up, or the disk failed.
    pub(super) async fn append(&mut self, piece: Bytes) -> io::Result<()> {
        if !self.space.grow(piece.len() as u64) {
            return Err(full());
        }
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

pub(super) fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "exports to readers that are not slower have used up PDS_EXPORT_SPOOL")
}
