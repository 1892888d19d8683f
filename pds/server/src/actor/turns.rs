//! How many loads, exports and imports may run at once, and how many callers may wait for them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::export::PIECE_BYTES;
use crate::rate_limit::Shares;

/// Loads for readers at once: each has all entries of a repository in memory, and keeps a core busy.
const LOADS: usize = 1;
/// Readers that may wait for a load, of all repositories and of one.
const WAITING_READERS: usize = 256;
/// Imports at once: each has its index and its tree in memory.
const IMPORTS: usize = 3;
/// Exports that read the database at once, at most.
const EXPORTS: usize = 64;
/// Exports under way, on disk or not, and how many of them to one address.
const EXPORTS_UNDER_WAY: usize = 256;
const EXPORTS_TO_ONE: usize = 16;
/// How long an export waits for its turn.
const EXPORT_PATIENCE: Duration = Duration::from_secs(10);

/// Loads of repositories for readers.
pub(super) struct LoadTurns {
    pub(super) running: Semaphore,
    pub(super) waiting: Semaphore,
}

impl Default for LoadTurns {
    fn default() -> Self {
        Self { running: Semaphore::new(LOADS), waiting: Semaphore::new(WAITING_READERS) }
    }
}

/// Imports.
pub(super) fn import_turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(IMPORTS))
}

/// Exports that read the database, each on a connection, and the disk space that exports to slow readers share.
pub(super) struct ExportTurns {
    running: Arc<Semaphore>,
    /// Exports that wait for a turn.
    pub(super) waiting: Arc<AtomicUsize>,
    /// Disk space, one permit per [`PIECE_BYTES`].
    pub(super) disk: Arc<Semaphore>,
    /// Exports under way, by the address of the reader.
    pub(super) places: Shares,
}

impl ExportTurns {
    /// Half of the database connections may be used by exports.
    pub(super) fn new(connections: u32, disk_bytes: usize) -> Self {
        let at_once = usize::try_from(connections / 2).unwrap_or(usize::MAX).clamp(1, EXPORTS);
        let pieces = (disk_bytes / PIECE_BYTES).min(Semaphore::MAX_PERMITS);
        Self {
            running: Arc::new(Semaphore::new(at_once)),
            waiting: Arc::default(),
            disk: Arc::new(Semaphore::new(pieces)),
            places: Shares::new(EXPORTS_UNDER_WAY, EXPORTS_TO_ONE),
        }
    }

    /// Waits for a turn to read the database; `None` if none came free in time.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        let _counted = Counted::new(&self.waiting);
        timeout(EXPORT_PATIENCE, self.running.clone().acquire_owned()).await.ok()?.ok()
    }
}

impl fmt::Debug for ExportTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportTurns({} free)", self.running.available_permits())
    }
}

/// One that is counted until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
