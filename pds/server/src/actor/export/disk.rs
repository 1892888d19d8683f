//! Disk space for exports to slow readers. All share it; when it is used up, the slowest reader loses its export.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// For so long a reader is not compared with others.
const GRACE: Duration = Duration::from_secs(5);

/// The space and those who use it. Cheap to clone.
#[derive(Clone)]
pub(in crate::actor) struct Disk(Arc<Shared>);

struct Shared {
    max_bytes: u64,
    in_use: Mutex<InUse>,
}

#[derive(Default)]
struct InUse {
    next: u64,
    bytes: u64,
    by_export: HashMap<u64, Use>,
}

struct Use {
    bytes: u64,
    /// Bytes that the reader has taken since `since`.
    taken: u64,
    since: Instant,
    lost: CancellationToken,
}

/// The space of one export, free again when this is dropped.
pub(super) struct Space {
    id: u64,
    of: Disk,
    lost: CancellationToken,
}

impl Disk {
    pub(in crate::actor) fn new(max_bytes: u64) -> Self {
        Self(Arc::new(Shared { max_bytes, in_use: Mutex::default() }))
    }

    /// Space of no bytes.
    pub(super) fn space(&self) -> Space {
        let (mut in_use, lost) = (self.in_use(), CancellationToken::new());
        let id = in_use.next;
        in_use.next += 1;
        in_use.by_export.insert(id, Use { bytes: 0, taken: 0, since: Instant::now(), lost: lost.clone() });
        Space { id, of: self.clone(), lost }
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.0.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Space {
    /// Takes `bytes` more. If they are not free, exports with slower readers lose theirs. Says whether there was room.
    pub(super) fn grow(&self, bytes: u64) -> bool {
        let mut in_use = self.of.in_use();
        while in_use.bytes + bytes > self.of.0.max_bytes {
            let Some(slower) = in_use.slower_than(self.id) else { return false };
            in_use.remove(slower);
        }
        let Some(own) = in_use.by_export.get_mut(&self.id) else { return false };
        own.bytes += bytes;
        in_use.bytes += bytes;
        true
    }

    /// Notes that the reader has taken bytes.
    pub(super) fn taken(&self, bytes: u64) {
        if let Some(own) = self.of.in_use().by_export.get_mut(&self.id) {
            own.taken += bytes;
        }
    }

    /// Waits until another export has got the space.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.of.in_use().remove(self.id);
    }
}

impl InUse {
    /// The export with space whose reader is the slowest, if that is not `id`. Of equal ones the one with more space.
    fn slower_than(&self, id: u64) -> Option<u64> {
        let compared = self.by_export.iter().filter(|(other, used)| **other == id || used.since.elapsed() > GRACE);
        let compared = compared.filter(|(other, used)| **other == id || used.bytes > 0);
        let slowest = compared.min_by_key(|(_, used)| (used.rate(), std::cmp::Reverse(used.bytes)));
        slowest.map(|(slowest, _)| *slowest).filter(|slowest| *slowest != id)
    }

    fn remove(&mut self, id: u64) {
        if let Some(used) = self.by_export.remove(&id) {
            self.bytes -= used.bytes;
            used.lost.cancel();
        }
    }
}

impl Use {
    /// Bytes a second; one that has just begun counts as fast.
    fn rate(&self) -> u64 {
        let elapsed = self.since.elapsed();
        if elapsed <= GRACE { u64::MAX } else { self.taken / elapsed.as_secs().max(1) }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_use = self.in_use();
        write!(f, "Disk({} of {} bytes, {} exports)", in_use.bytes, self.0.max_bytes, in_use.by_export.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_slowest_reader_loses_its_space_to_one_that_has_none() {
        let disk = Disk::new(100);
        let (slow, slower, own) = (disk.space(), disk.space(), disk.space());
        assert!(slow.grow(40) && slower.grow(60));
        assert!(!own.grow(1), "nobody was compared yet");
        slow.taken(1_000);
        slower.taken(10);
        tokio::time::advance(Duration::from_secs(6)).await;

        let own = disk.space();
        assert!(own.grow(30));
        slower.lost().await;
        assert!(!slower.grow(1), "it has lost its place");
        slower.taken(1);
        assert!(slow.grow(10));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(!own.grow(80), "it took nothing: itself is the slowest");
        drop(slow);
        assert!(own.grow(70));
    }
}
