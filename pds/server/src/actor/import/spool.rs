//! The CAR file of an import: a temporary file without a name, and the list of its blocks.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::fs::FileExt,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use pds_repo::{
    Cid,
    car::{Feed, MAX_BLOCK},
};
use pds_store::background;
use tokio::time::{Instant, timeout};

use super::{Error, Invalid, memory::Part};

/// Bytes that are written or read at once.
const PIECE: usize = 1 << 20;
/// Blocks beside records and nodes: the commit, and blocks that older hosts left in their files.
const SPARE: u64 = 10_000;
/// A client that sends nothing for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// Maximum time to send a file.
const LIMIT: Duration = Duration::from_secs(1800);
/// Average rate below which a client loses its place while others wait, in bytes a second, and the time after which it is looked at.
const LEAST_RATE: u64 = 128 << 10;
const GRACE: Duration = Duration::from_secs(10);

/// Blocks by their CIDs, each of which was checked.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    /// Sorted by the prefix of the digest, for binary search.
    places: Vec<Place>,
}

/// The place of a block in the temporary file, in 16 bytes: an import keeps one in memory for each record and each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The first 8 bytes of the block's digest. Two blocks may have the same prefix.
    prefix: u64,
    /// Offset and length: the length is in the lowest [`LEN_BITS`] bits.
    at: u64,
}

/// Bits of [`Place::at`] that are the length.
const LEN_BITS: u32 = 24;
const _: () = assert!(MAX_BLOCK < 1 << LEN_BITS, "the length of every block fits");

impl Place {
    fn new(cid: &Cid, at: u64, len: usize) -> Self {
        Self { prefix: prefix(cid), at: at << LEN_BITS | len as u64 }
    }

    fn at(self) -> u64 {
        self.at >> LEN_BITS
    }

    fn len(self) -> usize {
        usize::try_from(self.at & ((1 << LEN_BITS) - 1)).unwrap_or_default()
    }
}

fn prefix(cid: &Cid) -> u64 {
    let (first, _) = cid.digest().split_first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first)
}

/// Receives a whole file of at most `limit` bytes into a temporary file without a name. While `is_crowded`, because others wait for a place, a
/// client that sends less than [`LEAST_RATE`] loses its own.
pub(super) async fn receive<E>(
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    limit: u64,
    is_crowded: impl Fn() -> bool,
) -> Result<File, Error> {
    let began = Instant::now();
    let mut file = background::run(tempfile::tempfile).await?;
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
        let elapsed = began.elapsed();
        let is_slow = elapsed > GRACE && size < LEAST_RATE * elapsed.as_secs();
        if !last && (elapsed > LIMIT || (is_slow && is_crowded())) {
            return Err(Error::Broken);
        }
        if waiting >= PIECE || last {
            let some = std::mem::take(&mut pieces);
            waiting = 0;
            file =
                background::run(move || some.iter().try_for_each(|piece| file.write_all(piece)).map(|()| file)).await?;
        }
        if last {
            return Ok(file);
        }
    }
}

impl Spool {
    /// Lists the blocks of a CAR file and checks each against its CID. Returns them with the root in the header.
    pub(super) fn read(mut file: File, max_records: u64, memory: &mut Part) -> Result<(Self, Cid), Error> {
        let (mut feed, mut places, mut read, mut piece) = (Feed::default(), Vec::new(), 0, vec![0; PIECE]);
        file.rewind()?;
        loop {
            let len = file.read(&mut piece)?;
            if len == 0 {
                break;
            }
            feed.push(&piece[..len]);
            read += len as u64;
            while let Some((cid, block)) = feed.block().map_err(Invalid::File)? {
                // A block per record, and fewer nodes than records. More would only fill the list.
                if places.len() as u64 > max_records.saturating_mul(2).saturating_add(SPARE) {
                    return Err(Invalid::TooMany { limit: max_records }.into());
                }
                let end = read - feed.pending() as u64;
                places.push(Place::new(&cid, end - block.len() as u64, block.len()));
            }
            memory.grow_to(places.capacity() * size_of::<Place>() + MAX_BLOCK)?;
        }
        let root = feed.end().map_err(Invalid::File)?;
        places.sort_unstable();
        Ok((Self { file, places }, root))
    }

    /// Memory that the list takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }

    /// A block, if the file held it.
    pub(super) fn block(&self, cid: &Cid) -> io::Result<Option<Bytes>> {
        let prefix = prefix(cid);
        let first = self.places.partition_point(|place| place.prefix < prefix);
        for place in self.places[first..].iter().take_while(|place| place.prefix == prefix) {
            let mut block = vec![0; place.len()];
            self.file.read_exact_at(&mut block, place.at())?;
            if cid.matches(&block) {
                return Ok(Some(block.into()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks whose digests have the same prefix are told apart.
    #[test]
    fn a_block_is_found_by_its_whole_digest() {
        let (one, other) = (b"one".as_slice(), b"other".as_slice());
        let cid = Cid::dag_cbor(other);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[one, other].concat()).unwrap();
        // Both places have the prefix of `other`.
        let same_prefix = |at, block: &[u8]| Place::new(&cid, at, block.len());
        let places = vec![same_prefix(0, one), same_prefix(3, other)];
        let spool = Spool { file, places };
        assert_eq!(spool.block(&cid).unwrap().unwrap(), other);
        assert_eq!(spool.block(&Cid::dag_cbor(one)).unwrap(), None, "no place has its prefix");
    }
}
