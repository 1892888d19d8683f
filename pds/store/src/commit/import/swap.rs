//! The end of an import: the staged records become the repository.

use super::write::write;
use crate::{
    Error, Result, Tx,
    commit::{NewCommit, RecordWrite},
    event,
    source::execute,
};

/// The last transaction of an import. If it is dropped without [`Swap::finish`] it is rolled back, and the import is still staged.
#[must_use = "an import that is not finished is undone"]
pub struct Swap {
    pub(super) tx: Tx,
    pub(super) commit: NewCommit,
    /// Now; microseconds.
    pub(super) at: i64,
    /// By how much the number of records changes.
    pub(super) added: i64,
    /// Whether the account's events are published.
    pub(super) is_announced: bool,
}

impl Swap {
    /// Changes and deletes records. Each path may be written once in all calls.
    ///
    /// # Errors
    /// When the database cannot be written; the transaction can only be dropped then.
    pub async fn write(&mut self, writes: Vec<RecordWrite>) -> Result<()> {
        let full = self.tx.disk_full.clone();
        self.commit.writes = writes;
        self.added += write(&mut self.tx, &self.commit, self.at).await.inspect_err(|error| full.failed_with(error))?;
        Ok(())
    }

    /// Adds the event, unless the account is deactivated, and makes everything durable and visible.
    ///
    /// # Errors
    /// As [`Tx::commit`]: if the answer to COMMIT does not arrive the outcome is unknown.
    pub async fn finish(self) -> Result<()> {
        let (is_announced, frame, at) = (self.is_announced, self.commit.frame.clone(), self.at);
        let mut tx = self.without_event().await?;
        if is_announced {
            event::append(&mut tx, std::slice::from_ref(&frame), at).await?;
        }
        tx.commit().await
    }

    /// The transaction, to which the caller adds what belongs to the import instead of an event.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn without_event(mut self) -> Result<Tx> {
        const COUNT: &str = "update repo set record_count = record_count + $2 where account_id = $1";
        let id = self.commit.account_id;
        execute!(&mut self.tx, COUNT, id.0, self.added).map_err(Error::during("count records of account", id))?;
        Ok(self.tx)
    }
}
