//! A commit of any number of writes, which come in portions: a whole repository that moves in.

use super::{CommitError, DEACTIVATED, Net, Prepared, Write, net, why_not_moved};
use crate::{AccountId, Db, Error, Result, Tx, dialect, event, source::execute, tx::Open};

/// A commit under way. Dropped without [`Import::finish`] it never was.
///
/// From the beginning to the end every other writer of the repository waits, and on SQLite every writer: have the next portion at hand.
#[must_use = "an import that is not finished is undone"]
pub struct Import {
    tx: Tx,
    commit: Prepared,
    at: i64,
    /// By how much the number of records has changed.
    added: i64,
}

impl Import {
    /// Compares and swaps the head, then makes the commit's writes; more come with [`Import::write`]. `at` is now, in microseconds.
    ///
    /// # Errors
    /// [`CommitError::Stale`] and [`CommitError::Store`].
    pub async fn begin(db: &Db, mut commit: Prepared, at: i64) -> Result<Self, CommitError> {
        let first = std::mem::take(&mut commit.writes);
        let mut tx = db.begin().await?;
        let (nets, _) = net::fold(std::slice::from_ref(&commit));
        let moved = swap(&mut tx, &nets, commit.account_id).await.inspect_err(|error| tx.full.failed_with(error))?;
        if !moved {
            drop(tx);
            return Err(why_not_moved(db, vec![commit.account_id], DEACTIVATED).await?);
        }
        let mut import = Self { tx, commit, at, added: 0 };
        import.write(first).await?;
        Ok(import)
    }

    /// Makes some of the writes, each path once in all. A record may refer to a blob that is still to be uploaded; one that waits for a
    /// record becomes permanent.
    ///
    /// # Errors
    /// When the database cannot be written; nothing of the import can be kept then.
    pub async fn write(&mut self, writes: Vec<Write>) -> Result<()> {
        let full = self.tx.full.clone();
        self.store(writes).await.inspect_err(|error| full.failed_with(error))
    }

    async fn store(&mut self, writes: Vec<Write>) -> Result<()> {
        self.commit.writes = writes;
        let (nets, _) = net::fold(std::slice::from_ref(&self.commit));
        for net in &nets {
            self.added += net.added();
            // Which blobs are not there is no reason to refuse: they come after the records.
            match &mut self.tx.open {
                Open::Sqlite(tx) => dialect::sqlite::commit::write(tx, net, self.at, &mut Vec::new()).await?,
                Open::Postgres(tx) => {
                    dialect::postgres::commit::write(tx, std::slice::from_ref(net), self.at).await?;
                }
            }
        }
        Ok(())
    }

    /// Adds the event, if the account is one that the world is told of, and makes everything durable and visible.
    ///
    /// # Errors
    /// As [`Tx::commit`]: if the answer to COMMIT does not arrive the outcome is unknown.
    pub async fn finish(mut self, announce: bool) -> Result<()> {
        const COUNT: &str = "update repo set record_count = record_count + $2 where account_id = $1";
        let id = self.commit.account_id;
        execute!(&mut self.tx, COUNT, id.0, self.added).map_err(Error::during("count records of account", id))?;
        if announce {
            event::append(&mut self.tx, std::slice::from_ref(&self.commit.frame), self.at).await?;
        }
        self.tx.commit().await
    }
}

/// Moves the head; false if it is not where the commit expects it.
async fn swap(tx: &mut Tx, nets: &[Net<'_>], id: AccountId) -> Result<bool> {
    match &mut tx.open {
        Open::Sqlite(tx) => {
            let mut moved = true;
            for net in nets {
                moved &= dialect::sqlite::commit::swap(tx, net, DEACTIVATED).await?;
            }
            Ok(moved)
        }
        Open::Postgres(tx) => {
            let swapped = dialect::postgres::commit::swap(tx, nets, DEACTIVATED).await;
            Ok(!swapped.map_err(Error::during("swap head of account", id))?.is_empty())
        }
    }
}
