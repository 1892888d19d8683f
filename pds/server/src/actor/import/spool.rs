//! The blocks of a file that is being received: in a temporary file without a name, with an index in memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io,
    io::Write,
    os::unix::fs::FileExt,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use pds_repo::{Cid, car::Feed};
use tokio::time::{Instant, timeout};

use super::{Error, Invalid};
use crate::task::run_blocking;

/// Bytes that are hashed and written at once.
const PIECE: usize = 1 << 20;
/// Blocks beside records and nodes: the commit, and blocks that older hosts left in their files.
const SPARE: u64 = 10_000;
/// A client that sends nothing for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// Maximum time to send a file.
const LIMIT: Duration = Duration::from_secs(1800);

/// Blocks by their CIDs, each of which was checked.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    places: HashMap<Cid, Place>,
    end: u64,
    max_records: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    len: u32,
}

/// Receives a whole file of at most `limit` bytes and about `max_records` records. Returns its blocks and its root.
pub(super) async fn receive<E>(
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    limit: u64,
    max_records: u64,
) -> Result<(Spool, Cid), Error> {
    let until = Instant::now() + LIMIT;
    let file = run_blocking(tempfile::tempfile).await?;
    let mut state = (Spool { file, places: HashMap::new(), end: 0, max_records }, Feed::default());
    let (mut pieces, mut waiting, mut size) = (Vec::new(), 0, 0u64);
    loop {
        let piece = timeout(STALL, body.next()).await.map_err(|_| Error::Broken)?;
        let last = piece.is_none();
        if let Some(piece) = piece {
            let piece = piece.map_err(|_| Error::Broken)?;
            size += piece.len() as u64;
            if size > limit {
                return Err(Error::TooLarge { limit });
            }
            waiting += piece.len();
            pieces.push(piece);
        }
        if Instant::now() > until {
            return Err(Error::Broken);
        }
        if waiting >= PIECE || last {
            let some = std::mem::take(&mut pieces);
            waiting = 0;
            let (mut spool, mut feed) = state;
            state = run_blocking(move || spool.take(&mut feed, &some).map(|()| (spool, feed))).await?;
        }
        if last {
            let (spool, feed) = state;
            return Ok((spool, feed.end().map_err(Invalid::File)?));
        }
    }
}

impl Spool {
    /// Writes the blocks that are complete with these pieces.
    fn take(&mut self, feed: &mut Feed, pieces: &[Bytes]) -> Result<(), Error> {
        let (mut out, mut at) = (BytesMut::new(), self.end);
        for piece in pieces {
            feed.push(piece);
            while let Some((cid, block)) = feed.block().map_err(Invalid::File)? {
                let len = u32::try_from(block.len()).unwrap_or(u32::MAX);
                // A block per record, and fewer nodes than records. More would only fill the index.
                if self.places.len() as u64 > self.max_records.saturating_mul(2).saturating_add(SPARE) {
                    return Err(Invalid::TooMany { limit: self.max_records }.into());
                }
                if let Entry::Vacant(place) = self.places.entry(cid) {
                    place.insert(Place { at, len });
                    out.extend_from_slice(&block);
                    at += u64::from(len);
                }
            }
        }
        self.file.write_all(&out)?;
        self.end = at;
        Ok(())
    }

    /// A block, if the file held it.
    pub(super) fn block(&self, cid: &Cid) -> io::Result<Option<Bytes>> {
        let Some(place) = self.places.get(cid) else { return Ok(None) };
        let mut block = vec![0; self.len(cid)];
        self.file.read_exact_at(&mut block, place.at)?;
        Ok(Some(block.into()))
    }

    /// Bytes of a block; 0 for one that is not there.
    pub(super) fn len(&self, cid: &Cid) -> usize {
        self.places.get(cid).map_or(0, |place| place.len as usize)
    }
}
