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

use super::{export::Disk, import::Memory};
use crate::rate_limit::{Shares, Turn, Turns};

/// Loads for readers at once, and searches at once: a load has all entries of a repository in memory, and each keeps a core busy.
const LOADS: usize = 1;
/// Readers that may wait for a load, and for a search.
const WAITING_READERS: usize = 256;
/// Readers that may wait for a list of records.
const WAITING_LISTS: usize = 1024;
/// Imports at once that read a file which is there, and files that are being received, of all addresses and of one.
const IMPORTS: usize = 3;
const FILES: usize = 8;
const FILES_OF_ONE: usize = 4;
/// How long an import whose file is there waits for its turn.
const IMPORT_PATIENCE: Duration = Duration::from_secs(120);
/// Exports under way, on disk or not, and how many of them to one address.
const EXPORTS_UNDER_WAY: usize = 256;
const EXPORTS_TO_ONE: usize = 16;
/// How long an export waits for its turn.
const EXPORT_PATIENCE: Duration = Duration::from_secs(10);

/// Loads of repositories for readers, and searches in them.
pub(super) struct LoadTurns {
    pub(super) running: Turns,
    /// Searches through all nodes of a tree.
    pub(super) searching: Turns,
}

impl Default for LoadTurns {
    fn default() -> Self {
        Self { running: Turns::new(LOADS, WAITING_READERS), searching: Turns::new(LOADS, WAITING_READERS) }
    }
}

/// Lists of records. A list of a repository that is being imported reads past all records that are not visible yet, so that it may take a second.
pub(super) fn lists(connections: u32) -> Turns {
    Turns::new(usize::try_from(connections / 2).unwrap_or(usize::MAX).max(1), WAITING_LISTS)
}

/// Imports. A client that sends slowly has a place, not a turn.
pub(super) struct ImportTurns {
    /// Files that are being received, by the address of the client.
    pub(super) places: Shares,
    running: Arc<Semaphore>,
    pub(super) memory: Memory,
}

impl ImportTurns {
    pub(super) fn new(memory_bytes: u64) -> Self {
        let (places, running) = (Shares::new(FILES, FILES_OF_ONE), Arc::new(Semaphore::new(IMPORTS)));
        Self { places, running, memory: Memory::new(memory_bytes) }
    }

    /// Waits for a turn; `None` if none came free in time.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        timeout(IMPORT_PATIENCE, self.running.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Exports that read the database, each on a connection, and the disk space that exports to slow readers share.
pub(super) struct ExportTurns {
    running: Turns,
    /// Exports that wait for a turn.
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) disk: Disk,
    /// Exports under way, by the address of the reader.
    pub(super) places: Shares,
}

impl ExportTurns {
    /// Exports may use half of the cores, and half of the database connections.
    pub(super) fn new(connections: u32, disk_bytes: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = usize::try_from(connections / 2).unwrap_or(usize::MAX).min(cores / 2).max(1);
        Self {
            running: Turns::new(at_once, EXPORTS_UNDER_WAY),
            waiting: Arc::default(),
            disk: Disk::new(disk_bytes),
            places: Shares::new(EXPORTS_UNDER_WAY, EXPORTS_TO_ONE),
        }
    }

    /// Waits for a turn to read the database; `None` if none came free in time. Addresses take turns.
    pub(super) async fn next(&self, address: &str) -> Option<Turn> {
        let _counted = Counted::new(&self.waiting);
        timeout(EXPORT_PATIENCE, self.running.next(address)).await.ok()?
    }
}

impl fmt::Debug for ExportTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportTurns({} free)", self.running.free())
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
