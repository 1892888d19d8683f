//! How many records an import stores at once.
//!
//! Others wait for a portion: on SQLite for the one writer, on Postgres for the disk. Small portions with pauses cost an import three times as
//! much time, so they are for the time in which others write.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pds_store::Dialect;

/// The size at which a portion is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortionSize {
    pub(super) records: usize,
    /// Bytes of the records' bodies.
    pub(super) bytes: usize,
    /// References to blobs, of which each is a row.
    pub(super) references: usize,
}

/// While others write. Storing it takes less time than an ordinary commit.
const SMALL: PortionSize = PortionSize { records: 25, bytes: 64 << 10, references: 200 };

/// How long after the last write of somebody else portions stay small.
const GENTLE: Duration = Duration::from_secs(10);

impl PortionSize {
    /// While nobody else writes. On SQLite a first write of somebody else waits for one such portion, some milliseconds.
    pub(super) fn large(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self { records: 100, bytes: 256 << 10, references: 1_000 },
            Dialect::Postgres => Self { records: 500, bytes: 1 << 20, references: 2_000 },
        }
    }
}

/// What a portion has so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filled {
    records: usize,
    bytes: usize,
    references: usize,
}

impl Filled {
    /// Adds a record, or the deletion of one.
    pub(super) fn add(&mut self, bytes: usize, references: usize) {
        self.records += 1;
        self.bytes += bytes;
        self.references += references;
    }

    /// Whether the next record belongs to the next portion.
    pub(super) fn has(&self, size: PortionSize) -> bool {
        self.records >= size.records || self.bytes >= size.bytes || self.references >= size.references
    }
}

/// The size of the portions of one import, as others write and stop writing.
#[derive(Debug)]
pub(super) struct Portions {
    dialect: Dialect,
    is_gentle: AtomicBool,
    /// The last event of the host, and when it was new.
    head: Mutex<(i64, Instant)>,
}

impl Portions {
    /// Others count as writing at first. `head` is the number of the last event.
    pub(super) fn new(dialect: Dialect, head: i64) -> Self {
        Self { dialect, is_gentle: AtomicBool::new(true), head: Mutex::new((head, Instant::now())) }
    }

    /// Takes note of the number of the last event: it grows when anybody writes, on any replica. The import itself adds none before its end.
    pub(super) fn note(&self, head: i64) {
        let mut last = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if head != last.0 {
            *last = (head, Instant::now());
        }
        self.is_gentle.store(last.1.elapsed() < GENTLE, Relaxed);
    }

    pub(super) fn size(&self) -> PortionSize {
        if self.is_gentle.load(Relaxed) { SMALL } else { PortionSize::large(self.dialect) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_full_of_records_bytes_or_references() {
        let records = |bytes, references| {
            let mut filled = Filled::default();
            while !filled.has(PortionSize::large(Dialect::Sqlite)) {
                filled.add(bytes, references);
            }
            filled.records
        };
        assert_eq!([records(100, 4), records(100_000, 4), records(100, 100), records(100, 1_000)], [100, 3, 10, 1]);
    }

    #[test]
    fn portions_are_small_while_others_write() {
        let portions = Portions::new(Dialect::Sqlite, 7);
        assert_eq!(portions.size(), SMALL);
        portions.head.lock().unwrap().1 -= GENTLE;
        portions.note(7);
        assert_eq!(portions.size(), PortionSize::large(Dialect::Sqlite));
        portions.note(8);
        assert_eq!(portions.size(), SMALL);
    }
}
