//! A whole repository, or what changed in it, as a CAR file that is made while it is read.
//!
//! One snapshot of the database, in preorder: the commit, then each node with the records right behind their entries, so that a reader
//! can check every block against one it has seen. A reader that is slow costs no connection and no turn: what it has not taken goes to a
//! file, from which it takes the rest.

use std::{
    fmt, io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use pds_repo::{
    Cid, Head, car as format,
    mst::{Item, Tree},
};
use pds_store::{Bodies, Page, Snapshot, account::Account};
use pds_syntax::Tid;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use super::{
    LoadError, View,
    spool::{PIECE, Spool},
    view,
};
use crate::{app::App, rate_limit::Shares};

/// Bytes handed over at once, and how many such pieces wait for the reader in memory.
const CHUNK: usize = 64 * 1024;
const AHEAD: usize = 3;
/// How long the database waits for a reader, all in all; hardly, while other exports wait for their turn.
const PATIENCE: Duration = Duration::from_secs(2);
const HASTE: Duration = Duration::from_millis(50);
/// Exports under way, on disk or not, and how many of them to one address.
const UNDER_WAY: usize = 256;
const TO_ONE: usize = 16;
/// A reader that takes no piece for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// The longest a snapshot is kept open: it holds vacuum back.
const LIMIT: Duration = Duration::from_secs(600);
/// How long an export waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// How many exports may read the database at once, each on a connection, and how much of them may wait on disk.
#[derive(Clone)]
pub(super) struct Turns {
    running: Arc<OnceLock<Arc<Semaphore>>>,
    /// In pieces.
    spool: Arc<Semaphore>,
    /// Exports that wait for their turn.
    waiting: Arc<AtomicUsize>,
    places: Shares,
}

impl Turns {
    pub(super) fn new(spool_bytes: usize) -> Self {
        let pieces = (spool_bytes / PIECE).min(Semaphore::MAX_PERMITS);
        let places = Shares::new(UNDER_WAY, TO_ONE);
        Self { running: Arc::default(), spool: Arc::new(Semaphore::new(pieces)), waiting: Arc::default(), places }
    }

    async fn next(&self, app: &App) -> Option<OwnedSemaphorePermit> {
        let turns = self.running.get_or_init(|| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let connections = app.settings.database.connections(cores);
            Arc::new(Semaphore::new(usize::try_from(connections / 2).unwrap_or(usize::MAX).clamp(1, 64)))
        });
        let _waiting = Waiting::new(&self.waiting);
        timeout(TURN, turns.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Somebody who waits, counted until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account has no repository.
    #[error("there is no repository")]
    Missing,
    /// Too many run already.
    #[error("too many exports are running")]
    Busy,
    /// The repository could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// Begins an export: of everything, or with `since` of the records written after that revision and all nodes.
///
/// Deleted records leave no trace in the rows, so which nodes a deletion changed is not known: all go along. They are the smaller part.
/// The stream ends with an error unless the file is whole. One `address` gets a share of all that are under way.
pub async fn export(
    app: &App,
    account: &Account,
    since: Option<Tid>,
    address: &str,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Error> {
    let place = app.actors.exports.places.take(address).ok_or(Error::Busy)?;
    let turn = app.actors.exports.next(app).await.ok_or(Error::Busy)?;
    let View { mut snapshot, root, tree } = view(app, account.id, &account.did).await.map_err(|error| match error {
        LoadError::Missing(_) => Error::Missing,
        error => Error::Load(error),
    })?;
    // A revision that is still to come says nothing about what its reader has.
    let since = since.filter(|since| *since <= root.head.rev);
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (id, did) = (account.id, account.did.clone());
    let export = Export { head: root.head, commit_bytes: root.commit_bytes, tree, since };
    let (room, others) = (app.actors.exports.spool.clone(), app.actors.exports.waiting.clone());
    tokio::spawn(async move {
        let _place = place;
        let mut out = Out::new(sender, room, others);
        let written = timeout(LIMIT, export.write(&mut snapshot, id, &mut out)).await;
        // From here on a slow reader is waited for by nobody.
        drop((export, snapshot, turn));
        let written = match written {
            Ok(Ok(())) => Ok(out.end().await),
            other => other,
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(Stopped::Reader)) => tracing::info!(repo.did = %did, "the reader of an export of {did} went away"),
            Ok(Err(Stopped::Failed(reason))) => {
                tracing::warn!(repo.did = %did, "an export of {did} broke off: {reason}");
            }
            Err(_) => tracing::warn!(repo.did = %did, "an export of {did} broke off: it took too long"),
        }
    });
    Ok(pieces(receiver))
}

/// What goes to the reader.
enum Piece {
    Bytes(Bytes),
    /// The file is whole.
    End,
}

/// The pieces, and an error if they stop before the end: an answer that broke off must not look complete.
fn pieces(receiver: mpsc::Receiver<Piece>) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the export broke off")), None)),
        }
    })
    // A body may be polled once more after its end.
    .fuse()
}

enum Stopped {
    Reader,
    Failed(String),
}

impl From<pds_store::Error> for Stopped {
    fn from(error: pds_store::Error) -> Self {
        Self::Failed(crate::report::chain(&error))
    }
}

/// The way to the reader: directly, or over a file once the database has waited for it for long enough.
struct Out {
    sender: mpsc::Sender<Piece>,
    chunk: BytesMut,
    waited: Duration,
    spool: Option<Spool>,
    room: Arc<Semaphore>,
    /// Exports that wait for their turn.
    others: Arc<AtomicUsize>,
    stall: Duration,
}

impl Out {
    fn new(sender: mpsc::Sender<Piece>, room: Arc<Semaphore>, others: Arc<AtomicUsize>) -> Self {
        Self { sender, chunk: BytesMut::new(), waited: Duration::ZERO, spool: None, room, others, stall: STALL }
    }

    async fn block(&mut self, cid: &Cid, block: &[u8]) -> Result<(), Stopped> {
        format::append(&mut self.chunk, cid, block);
        if self.chunk.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        let piece = self.chunk.split().freeze();
        if self.spool.is_none() {
            let began = Instant::now();
            let patience = if self.others.load(Ordering::Relaxed) > 0 { HASTE } else { PATIENCE };
            let place = timeout(patience.saturating_sub(self.waited), self.sender.reserve()).await;
            self.waited += began.elapsed();
            match place {
                Ok(Ok(place)) => {
                    place.send(Piece::Bytes(piece));
                    return Ok(());
                }
                Ok(Err(_)) => return Err(Stopped::Reader),
                Err(_) => self.spool = Some(Spool::new(&self.room).await?),
            }
        }
        if self.sender.is_closed() {
            return Err(Stopped::Reader);
        }
        match &mut self.spool {
            Some(spool) => Ok(spool.append(piece, &self.room).await?),
            None => Ok(()),
        }
    }

    /// Sends what is on disk, as fast as the reader takes it, and the end.
    async fn end(mut self) -> Result<(), Stopped> {
        if let Some(spool) = self.spool.take() {
            let mut at = 0;
            while at < spool.len() {
                let piece = spool.read(at, CHUNK).await?;
                at += piece.len() as u64;
                self.send(Piece::Bytes(piece)).await?;
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
        Self::Failed(format!("keeping it on disk for a slow reader: {error}"))
    }
}

struct Export {
    head: Head,
    commit_bytes: Bytes,
    tree: Tree,
    since: Option<Tid>,
}

impl Export {
    /// The tree and the rows are in the same order, so they are read side by side and nothing piles up.
    async fn write(&self, snapshot: &mut Snapshot, id: pds_store::AccountId, out: &mut Out) -> Result<(), Stopped> {
        out.chunk.extend_from_slice(&format::header(&self.head.commit));
        out.block(&self.head.commit, &self.commit_bytes).await?;
        let mut bodies = Ahead::new(snapshot.bodies(id, self.since)).await?;
        // The root goes along even if nothing changed, so that the commit can be checked.
        let items = if self.since == Some(self.head.rev) { 1 } else { usize::MAX };
        for item in self.tree.preorder().take(items) {
            match item {
                Item::Node(cid, block) => out.block(&cid, &block).await?,
                Item::Record(_, cid) if bodies.cid() == Some(cid) => {
                    out.block(&cid, bodies.body()).await?;
                    bodies.step().await?;
                }
                // Older than what was asked for.
                Item::Record(..) if self.since.is_some() => {}
                Item::Record(key, _) => {
                    return Err(Stopped::Failed(format!("record {key} is not the one in the tree")));
                }
            }
        }
        match bodies.cid() {
            None => out.flush().await,
            Some(cid) => Err(Stopped::Failed(format!("record {cid} is not in the tree"))),
        }
    }
}

/// Bodies of records, of which the next one can be looked at.
struct Ahead<'a> {
    bodies: Bodies<'a>,
    page: Page,
    at: usize,
}

impl<'a> Ahead<'a> {
    async fn new(mut bodies: Bodies<'a>) -> Result<Self, pds_store::Error> {
        let page = bodies.next().await?.unwrap_or_default();
        Ok(Self { bodies, page, at: 0 })
    }

    fn cid(&self) -> Option<Cid> {
        self.page.get(self.at).map(|(cid, _)| cid)
    }

    fn body(&self) -> &[u8] {
        self.page.get(self.at).map_or(&[], |(_, body)| body)
    }

    async fn step(&mut self) -> Result<(), pds_store::Error> {
        self.at += 1;
        if self.page.get(self.at).is_none() {
            (self.page, self.at) = (self.bodies.next().await?.unwrap_or_default(), 0);
        }
        Ok(())
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turns({:?} free)", self.running.get().map(|turns| turns.available_permits()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_not_whole_ends_in_an_error() {
        for whole in [true, false] {
            let (sender, receiver) = mpsc::channel(4);
            let mut out = Out::new(sender, Arc::new(Semaphore::new(0)), Arc::default());
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
        let mut out = Out::new(sender, Arc::new(Semaphore::new(0)), Arc::default());
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
