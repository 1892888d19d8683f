//! A whole repository, or the part that changed, as a CAR file that is made while it is read.
//!
//! The file comes from one snapshot of the database, in preorder: the commit, then each node with its records, so that a reader can check
//! every block against one before it. A slow reader costs neither a connection nor a turn: what it has not taken goes to a file (`reader`).

mod disk;
mod reader;
mod spool;

use std::{
    fmt, io,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use bytes::Bytes;
use futures::Stream;
use pds_repo::{
    Cid, Head, car,
    mst::{Item, Tree},
};
use pds_store::{AccountId, Bodies, Page, Snapshot, account::Account, background};
use pds_syntax::{Did, Tid};
use tokio::{sync::mpsc, time::timeout};

pub(super) use self::disk::Disk;
use self::reader::{AHEAD, Output, Stopped};
use super::{Actors, LoadError, View, pace::Pace};
use crate::{
    rate_limit::{Share, Turn},
    task::pieces,
};

/// How long a snapshot is kept open at most: it holds vacuum back.
const SNAPSHOT_TIME: Duration = Duration::from_secs(600);

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many exports are under way, of all readers or of this one.
    #[error("too many exports are running")]
    Busy,
    /// The repository could not be loaded, or there is none.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A whole repository whose size was computed before its first byte.
pub struct Measured<S> {
    /// The head of the snapshot.
    pub head: Head,
    /// Size of the CAR file.
    pub bytes: u64,
    /// The CAR file.
    pub file: S,
    /// One of the exports under way, as long as anything is sent that belongs to it.
    pub place: Arc<Share>,
}

impl<S> fmt::Debug for Measured<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").field("head", &self.head).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Actors {
    /// Begins an export: of everything, or with `since` of all nodes and the records that were written after that revision.
    ///
    /// Deleted records leave no trace in the rows, so nobody knows which nodes a deletion changed, and all nodes are part of every export.
    /// They are the smaller part. The stream ends with an error unless the file is complete. One `address` gets a share of all exports
    /// under way.
    ///
    /// # Errors
    /// Why there is no export.
    pub async fn export(
        &self,
        account: &Account,
        since: Option<Tid>,
        address: &str,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Error> {
        Ok(self.begin(account, since, address).await?.run())
    }

    /// Begins an export of everything, as [`Actors::export`], and computes its size first, for a format in which the size comes before the content.
    /// That takes a pass over the tree and reads no record.
    ///
    /// # Errors
    /// Why there is no export.
    pub async fn export_measured(
        &self,
        account: &Account,
        address: &str,
    ) -> Result<Measured<impl Stream<Item = io::Result<Bytes>> + Send + use<>>, Error> {
        let mut begun = self.begin(account, None, address).await?;
        let bytes = begun.bytes().await?;
        let (head, place) = (begun.export.head, begun.place.clone());
        Ok(Measured { head, bytes, file: begun.run(), place })
    }

    async fn begin(&self, account: &Account, since: Option<Tid>, address: &str) -> Result<Begun, Error> {
        let turns = &self.inner().exports;
        let place = Arc::new(turns.places.take(address).ok_or(Error::Busy)?);
        let turn = turns.next(address).await.ok_or(Error::Busy)?;
        let View { snapshot, root, tree } = self.view(account.id, &account.did, address).await?;
        // A revision of the future says nothing about what its reader has.
        let since = since.filter(|since| *since <= root.head.rev);
        let export = Export { head: root.head, commit_bytes: root.commit_bytes, tree, since };
        let (disk, waiting) = (turns.disk.clone(), turns.waiting.clone());
        Ok(Begun { id: account.id, did: account.did.clone(), export, snapshot, place, turn, disk, waiting })
    }
}

/// An export of which nothing was sent yet.
struct Begun {
    id: AccountId,
    did: Did,
    export: Export,
    snapshot: Snapshot,
    place: Arc<Share>,
    turn: Turn,
    disk: Disk,
    waiting: Arc<AtomicUsize>,
}

impl Begun {
    /// Size of the file, if it is of everything.
    async fn bytes(&mut self) -> Result<u64, LoadError> {
        let sizes = self.snapshot.body_sizes(self.id).await?;
        let bodies: u64 = sizes.into_iter().map(|(bytes, count)| car::section_bytes(bytes) * count).sum();
        let Export { head, commit_bytes, tree, .. } = &self.export;
        let begin = car::header(&head.commit).len() as u64 + car::section_bytes(commit_bytes.len() as u64);
        let tree = tree.clone();
        let nodes = background::run(move || {
            let of_item = |item: Item| match item {
                Item::Node(_, block) => car::section_bytes(block.len() as u64),
                Item::Record(..) => 0,
            };
            tree.preorder().map(of_item).sum::<u64>()
        });
        Ok(begin + nodes.await + bodies)
    }

    /// Sends the file.
    fn run(self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let Self { id, did, export, mut snapshot, place, turn, disk, waiting } = self;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let mut output = Output::new(sender, disk, waiting);
        tokio::spawn(async move {
            let _place = place;
            let writing = async move {
                let written = timeout(SNAPSHOT_TIME, export.write(&mut snapshot, id, &mut output)).await;
                (written, output)
            };
            let (written, output) = background::drive(writing).await;
            // From here on nothing waits for a slow reader.
            drop(turn);
            let written = match written {
                Ok(Ok(())) => Ok(output.end().await),
                other => other,
            };
            match written {
                Ok(Ok(())) => {}
                Ok(Err(Stopped::Reader)) => {
                    tracing::info!(repo.did = %did, "the reader of an export of {did} went away");
                }
                Ok(Err(Stopped::Failed(reason))) => {
                    tracing::warn!(repo.did = %did, "an export of {did} was broken off: {reason}");
                }
                Err(_) => tracing::warn!(repo.did = %did, "an export of {did} was broken off: it took too long"),
            }
        });
        pieces(receiver)
    }
}

struct Export {
    head: Head,
    commit_bytes: Bytes,
    tree: Tree,
    since: Option<Tid>,
}

impl Export {
    /// The tree and the rows are in the same order, so they are read side by side and nothing is kept in memory.
    async fn write(&self, snapshot: &mut Snapshot, id: AccountId, output: &mut Output) -> Result<(), Stopped> {
        output.header(&self.head.commit);
        output.block(&self.head.commit, &self.commit_bytes).await?;
        let mut bodies = NextBody::new(snapshot.bodies(id, self.since)).await?;
        // The root node is written even if nothing changed, so that the commit can be checked.
        let items = if self.since == Some(self.head.rev) { 1 } else { usize::MAX };
        for item in self.tree.preorder().take(items) {
            match item {
                Item::Node(cid, block) => output.block(&cid, &block).await?,
                Item::Record(_, cid) if bodies.cid() == Some(cid) => {
                    output.block(&cid, bodies.body()).await?;
                    bodies.step(output).await?;
                }
                // Written before `since`.
                Item::Record(..) if self.since.is_some() => {}
                Item::Record(key, _) => {
                    return Err(Stopped::Failed(format!("record {key} is not the one in the tree")));
                }
            }
        }
        match bodies.cid() {
            None => output.flush().await,
            Some(cid) => Err(Stopped::Failed(format!("record {cid} is not in the tree"))),
        }
    }
}

/// The bodies of records, one at a time.
struct NextBody<'a> {
    bodies: Bodies<'a>,
    page: Page,
    at: usize,
    pace: Pace,
}

impl<'a> NextBody<'a> {
    async fn new(mut bodies: Bodies<'a>) -> Result<Self, pds_store::Error> {
        let page = bodies.next().await?.unwrap_or_default();
        Ok(Self { bodies, page, at: 0, pace: Pace::default() })
    }

    /// The CID of the record; `None` behind the last.
    fn cid(&self) -> Option<Cid> {
        self.page.get(self.at).map(|(cid, _)| cid)
    }

    fn body(&self) -> &[u8] {
        self.page.get(self.at).map_or(&[], |(_, body)| body)
    }

    /// Goes on to the next body. While others wait for a turn to export, there is a pause after each page.
    async fn step(&mut self, output: &Output) -> Result<(), pds_store::Error> {
        self.at += 1;
        if self.page.get(self.at).is_none() {
            if output.others_wait() {
                self.pace.pause();
            }
            self.pace.restart();
            (self.page, self.at) = (self.bodies.next().await?.unwrap_or_default(), 0);
        }
        Ok(())
    }
}
