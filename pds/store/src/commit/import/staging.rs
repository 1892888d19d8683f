//! Staging the records of an import.

use super::{
    hold::hold,
    swap::Swap,
    undo::{undo, undo_expired},
    write::write,
};
use crate::{
    AccountId, Db, Error, Result, account,
    column::digest_bytes,
    commit::{CommitError, NewCommit, OverQuota, RecordWrite, moved::why_not_moved},
    source::{execute, on},
    usage,
};

/// The value of `repo.closed` of a deactivated account, which may be one that moves here.
const DEACTIVATED: i16 = 1;

/// An import that has begun. If it is neither finished nor undone it expires, and a later writer or job undoes it.
#[derive(Debug)]
#[must_use = "an import that is not finished has to be undone"]
pub struct Staging {
    db: Db,
    id: AccountId,
    token: String,
    /// Number of staged records.
    added: i64,
}

impl Staging {
    /// Begins an import. The repository takes no commits from here on, until `until` unless that is prolonged; `now` and `until` are in
    /// microseconds. `token` tells imports apart.
    ///
    /// # Errors
    /// [`CommitError::Imported`] if another import has not expired, [`CommitError::Closed`] if the account is taken down or suspended (it may be
    /// deactivated), [`CommitError::Stale`] if there is no repository.
    pub async fn begin(db: &Db, id: AccountId, token: &str, now: i64, until: i64) -> Result<Self, CommitError> {
        const SQL: &str = "update repo set import_token = $2, import_until = $3 \
                           where account_id = $1 and closed <= 1 and import_token is null";
        undo_expired(db, id, now).await?;
        let mut tx = db.begin().await?;
        let begun = execute!(&mut tx, SQL, id.0, token, until).map_err(Error::during("begin import of account", id))?;
        tx.commit().await?;
        match begun {
            1 => Ok(Self { db: db.clone(), id, token: token.to_owned(), added: 0 }),
            _ => Err(why_not_moved(db, vec![id], DEACTIVATED).await?),
        }
    }

    /// Stages records at paths where there are none, with the revision of `commit`, whose own writes are ignored. A record may refer to a
    /// blob that is still to be uploaded. A temporary blob that a record refers to becomes permanent.
    ///
    /// # Errors
    /// When the database cannot be written, or the import has expired and was undone.
    pub async fn write(&mut self, commit: &NewCommit, writes: Vec<RecordWrite>, at: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        hold(&mut tx, self.id, &self.token).await?.then_some(()).ok_or(Error::ImportLost { id: self.id })?;
        let full = tx.disk_full.clone();
        let portion = NewCommit { writes, ..commit.clone() };
        let added = write(&mut tx, &portion, at).await.inspect_err(|error| full.failed_with(error))?;
        tx.commit().await?;
        self.added += added;
        Ok(())
    }

    /// Sets the time at which the import expires; microseconds.
    ///
    /// # Errors
    /// When the database cannot be written, or the import has expired and was undone.
    pub async fn prolong(&self, until: i64) -> Result<()> {
        const SQL: &str = "update repo set import_until = $3 where account_id = $1 and import_token = $2";
        let mut tx = self.db.begin().await?;
        let held = execute!(&mut tx, SQL, self.id.0, &*self.token, until)
            .map_err(Error::during("prolong import of account", self.id))?;
        tx.commit().await?;
        if held == 1 { Ok(()) } else { Err(Error::ImportLost { id: self.id }) }
    }

    /// Moves the head. The staged records are the repository when [`Swap::finish`] has returned; before that, records that were there
    /// before are changed and deleted by [`Swap::write`]. `record_bytes` is the size of all records of the repository that comes; `at` is now, in
    /// microseconds. With a quota, uploads to the account wait until the transaction ends.
    ///
    /// # Errors
    /// [`CommitError::Closed`] if the account was taken down or suspended meanwhile, [`CommitError::OverQuota`] with what it would have,
    /// [`CommitError::Stale`] if the import has expired and was undone.
    pub async fn swap(&self, commit: NewCommit, record_bytes: u64, at: i64) -> Result<Swap, CommitError> {
        const SQL: &str = "update repo set rev = $4, commit_cid = $5, data_cid = $6, commit_bytes = $7, record_bytes = $8, \
                           bytes_rev = $4, import_token = null, import_until = null \
                           where account_id = $1 and import_token = $2 and rev = $3 and closed <= 1 returning closed";
        let mut tx = self.db.begin().await?;
        if let Some(quota) = commit.quota {
            account::lock(&mut tx, self.id).await?;
            if let Some(used) = usage::get(&mut tx, self.id).await?.beyond(quota, record_bytes) {
                return Err(CommitError::OverQuota { accounts: vec![OverQuota { account_id: self.id, used, quota }] });
            }
        }
        let swapped: Option<(i16,)> = on!(&mut tx, conn => sqlx::query_as(SQL)
            .bind(self.id.0)
            .bind(&*self.token)
            .bind(commit.expect_rev.to_string())
            .bind(commit.rev.to_string())
            .bind(digest_bytes(&commit.commit))
            .bind(digest_bytes(&commit.data))
            .bind(&*commit.commit_bytes)
            .bind(i64::try_from(record_bytes).unwrap_or(i64::MAX))
            .fetch_optional(conn))
        .map_err(Error::during("swap head of account", self.id))?;
        let Some((closed,)) = swapped else {
            drop(tx);
            return Err(match why_not_moved(&self.db, vec![self.id], DEACTIVATED).await? {
                CommitError::Imported { accounts } => CommitError::Stale { accounts },
                error => error,
            });
        };
        // A deactivated account is announced when its owner activates it.
        Ok(Swap { tx, commit, at, added: self.added, is_announced: closed == 0 })
    }

    /// Deletes what was staged. The repository takes commits again afterwards.
    ///
    /// # Errors
    /// When the database cannot be written: the import expires, and is undone later.
    pub async fn undo(self) -> Result<()> {
        undo(&self.db, self.id, &self.token).await
    }
}
