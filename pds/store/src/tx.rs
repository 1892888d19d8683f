//! Transactions that write.

use sqlx::{Postgres, Sqlite, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::{Error, Result, dialect::postgres::in_time, disk_full::DiskFull, event::Appended, line::Line};

/// A write transaction. Dropped without [`Tx::commit`] it rolls back, so a cancelled request leaves nothing behind.
///
/// On SQLite there is one writer at a time: keep it short, and never wait for the network inside.
#[must_use = "a transaction that is not committed rolls back"]
pub struct Tx {
    pub(crate) open: Open,
    pub(crate) appended: Appended,
    pub(crate) disk_full: DiskFull,
    pub(crate) line: Line,
    /// The turn to hold the lock that the committer waits for: the database's on SQLite, the event counter's on Postgres.
    pub(crate) turn: Option<OwnedSemaphorePermit>,
    /// The number of the last event that the transaction adds.
    pub(crate) last_seq: Option<i64>,
}

/// An open transaction on one of the two databases.
pub(crate) enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Makes everything durable, then wakes the readers of events.
    ///
    /// # Errors
    /// When the answer to COMMIT does not arrive the outcome is unknown: read back before trying again.
    pub async fn commit(self) -> Result<()> {
        let committed = match self.open {
            Open::Sqlite(tx) => tx.commit().await,
            Open::Postgres(tx) => in_time(tx.commit()).await,
        };
        match &committed {
            Ok(()) => self.disk_full.written(),
            Err(error) => self.disk_full.failed(error),
        }
        committed.map_err(Error::during("commit", "transaction"))?;
        if let Some(last_seq) = self.last_seq {
            self.appended.signal(last_seq);
        }
        Ok(())
    }

    /// Undoes everything now instead of when the connection is used next.
    ///
    /// # Errors
    /// When the connection is broken; the database then rolls back by itself.
    pub async fn rollback(self) -> Result<()> {
        match self.open {
            Open::Sqlite(tx) => tx.rollback().await,
            Open::Postgres(tx) => in_time(tx.rollback()).await,
        }
        .map_err(Error::during("roll back", "transaction"))
    }
}
