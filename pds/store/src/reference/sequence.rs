//! `sequencer.sqlite`: events.

use std::path::Path;

use rusqlite::{OptionalExtension, params};

use super::{Result, file::Opened};

/// The open file.
#[derive(Debug)]
pub struct Sequence(Opened);

/// An event.
#[derive(Clone, Debug)]
pub struct SourceEvent {
    pub seq: i64,
    /// `append`, `sync`, `identity`, `account`, or one that the reference does not send any more.
    pub kind: String,
    /// DAG-CBOR without number and time.
    pub body: Vec<u8>,
    /// In ISO 8601.
    pub sequenced_at: String,
}

impl Sequence {
    /// Opens the file.
    ///
    /// # Errors
    /// When it is missing, of a version that this release does not know, or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let opened = Opened::open(path)?;
        opened.check_version("001", "001", "001")?;
        Ok(Self(opened))
    }

    /// The highest number that was given to an event, 0 if none was. The event may have been deleted.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn head(&self) -> Result<i64> {
        const GIVEN: &str = "select seq from sqlite_sequence where name = 'repo_seq'";
        const STORED: &str = "select coalesce(max(seq), 0) from repo_seq";
        let connection = &self.0.connection;
        let given: Option<i64> =
            connection.query_row(GIVEN, [], |row| row.get(0)).optional().map_err(self.0.failed())?;
        let stored: i64 = connection.query_row(STORED, [], |row| row.get(0)).map_err(self.0.failed())?;
        Ok(stored.max(given.unwrap_or_default()))
    }

    /// The number of the first event at or after a time (a text as the reference stores it), if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn first_since(&self, time: &str) -> Result<Option<i64>> {
        const SQL: &str = "select min(seq) from repo_seq where sequencedAt >= ?1";
        self.0.connection.query_row(SQL, [time], |row| row.get(0)).map_err(self.0.failed())
    }

    /// The next events after a number that were not invalidated: at most `limit`, and not many more bytes than `max_bytes`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn after(&self, seq: i64, limit: u32, max_bytes: usize) -> Result<Vec<SourceEvent>> {
        const SQL: &str = "select seq, eventType, event, sequencedAt from repo_seq where seq > ?1 and invalidated = 0 \
                           order by seq limit ?2";
        let query = || {
            let mut statement = self.0.connection.prepare_cached(SQL)?;
            let (mut rows, mut events, mut bytes) = (statement.query(params![seq, limit])?, Vec::new(), 0);
            while bytes < max_bytes
                && let Some(row) = rows.next()?
            {
                let event =
                    SourceEvent { seq: row.get(0)?, kind: row.get(1)?, body: row.get(2)?, sequenced_at: row.get(3)? };
                bytes += event.body.len();
                events.push(event);
            }
            Ok(events)
        };
        query().map_err(self.0.failed())
    }
}
