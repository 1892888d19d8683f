//! The way of an export to its reader: directly, or over a file once the database has waited long enough for the reader.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use pds_repo::{Cid, car as format};
use tokio::{sync::mpsc, time::timeout};

use super::{
    disk::Disk,
    spool::{Spool, full},
};
use crate::{report::chain, task::Piece};

/// Bytes of a piece of the file, and how many pieces wait for the reader in memory.
const CHUNK: usize = 64 * 1024;
pub(super) const AHEAD: usize = 3;
/// How long the database waits for a reader, in all; and the same while other exports wait for their turn.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_WITH_OTHERS: Duration = Duration::from_millis(50);
/// A reader that takes no piece for so long has gone.
const STALL: Duration = Duration::from_secs(30);

/// Why an export was broken off.
pub(super) enum Stopped {
    /// The reader went away.
    Reader,
    /// The database or the disk failed.
    Failed(String),
}

impl From<pds_store::Error> for Stopped {
    fn from(error: pds_store::Error) -> Self {
        Self::Failed(chain(&error))
    }
}

/// Takes the blocks of a CAR file and passes them to the reader.
pub(super) struct Output {
    sender: mpsc::Sender<Piece>,
    /// The beginning of the next piece.
    chunk: BytesMut,
    /// How long the database has waited for the reader, in all.
    waited: Duration,
    /// Takes all further pieces once it exists.
    spool: Option<Spool>,
    /// Disk space for the spool.
    disk: Disk,
    /// Number of exports that wait for their turn.
    waiting_exports: Arc<AtomicUsize>,
    stall: Duration,
}

impl Output {
    /// Whether other exports wait for a turn.
    pub(super) fn others_wait(&self) -> bool {
        self.waiting_exports.load(Ordering::Relaxed) > 0
    }

    pub(super) fn new(sender: mpsc::Sender<Piece>, disk: Disk, waiting_exports: Arc<AtomicUsize>) -> Self {
        let (chunk, waited, spool) = (BytesMut::new(), Duration::ZERO, None);
        Self { sender, chunk, waited, spool, disk, waiting_exports, stall: STALL }
    }

    pub(super) fn header(&mut self, root: &Cid) {
        self.chunk.extend_from_slice(&format::header(root));
    }

    pub(super) async fn block(&mut self, cid: &Cid, block: &[u8]) -> Result<(), Stopped> {
        format::append(&mut self.chunk, cid, block);
        if self.chunk.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    /// Passes on what was collected of a piece.
    pub(super) async fn flush(&mut self) -> Result<(), Stopped> {
        let piece = self.chunk.split().freeze();
        if self.spool.is_none() {
            let began = Instant::now();
            let patience = if self.others_wait() { PATIENCE_WITH_OTHERS } else { PATIENCE };
            let place = timeout(patience.saturating_sub(self.waited), self.sender.reserve()).await;
            self.waited += began.elapsed();
            match place {
                Ok(Ok(place)) => {
                    place.send(Piece::Bytes(piece));
                    return Ok(());
                }
                Ok(Err(_)) => return Err(Stopped::Reader),
                Err(_) => self.spool = Some(Spool::new(&self.disk).await?),
            }
        }
        if self.sender.is_closed() {
            return Err(Stopped::Reader);
        }
        match &mut self.spool {
            Some(spool) => Ok(spool.append(piece).await?),
            None => Ok(()),
        }
    }

    /// Passes on what is on disk, as fast as the reader takes it, and the end of the file.
    pub(super) async fn end(mut self) -> Result<(), Stopped> {
        if let Some(spool) = self.spool.take() {
            let sending = async {
                let mut at = 0;
                while at < spool.len() {
                    let piece = spool.read(at, CHUNK).await?;
                    let bytes = piece.len() as u64;
                    at += bytes;
                    self.send(Piece::Bytes(piece)).await?;
                    spool.space().taken(bytes);
                }
                Ok::<(), Stopped>(())
            };
            tokio::select! {
                sent = sending => sent?,
                () = spool.space().lost() => return Err(full().into()),
            }
        }
        self.send(Piece::End).await
    }

    async fn send(&self, piece: Piece) -> Result<(), Stopped> {
        match timeout(self.stall, self.sender.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Stopped::Reader),
        }
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("keeping the export on disk for a slow reader: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::StreamExt;

    use super::*;
    use crate::task::pieces;

    #[tokio::test]
    async fn a_file_that_is_not_complete_ends_in_an_error() {
        for whole in [true, false] {
            let (sender, receiver) = mpsc::channel(4);
            let mut out = Output::new(sender, Disk::new(0), Arc::default());
            out.block(&Cid::raw(b"x"), b"x").await.ok().unwrap();
            out.flush().await.ok().unwrap();
            if whole {
                out.end().await.ok().unwrap();
            } else {
                drop(out);
            }
            let read: Vec<_> = pieces(receiver).collect().await;
            assert!(read[0].is_ok());
            assert_eq!((read.len(), read.last().unwrap().is_ok()), if whole { (1, true) } else { (2, false) });
        }
    }

    #[tokio::test]
    async fn a_reader_that_stalls_loses_its_export() {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut out = Output::new(sender, Disk::new(0), Arc::default());
        out.stall = Duration::from_millis(10);
        out.send(Piece::Bytes(Bytes::from_static(b"x"))).await.ok().unwrap();
        assert!(matches!(out.send(Piece::End).await, Err(Stopped::Reader)));
        // When it reads on it is told, and not left with a file that looks whole.
        drop(out);
        assert!(matches!(receiver.recv().await, Some(Piece::Bytes(_))));
        let rest: Vec<_> = pieces(receiver).collect().await;
        assert!(matches!(rest[..], [Err(_)]));
    }
}
