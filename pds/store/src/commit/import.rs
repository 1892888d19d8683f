//! A whole repository that moves in: records are staged in many short transactions, then one short transaction makes them the repository.
//!
//! While records are staged the repository's row names the import, so no commit is stored and the head stands still. Staged records have the
//! revision that the head will have. Whoever reads takes only what is not above the head ([`crate::record`], [`crate::Snapshot`]), so nobody
//! sees them before. No lock is held that others wait for, and on SQLite the writer is free between two portions.

use pds_syntax::{RepoPath, Tid};

use super::{CommitError, Net, NewCommit, RecordWrite, moved::why_not_moved, net};
use crate::{
    AccountId, Db, Error, Result, Tx,
    column::{Text, digest_bytes},
    dialect, event,
    source::{execute, on},
    tx::Open,
};

/// The value of `repo.closed` of an account that is deactivated: it may be one that moves in.
const DEACTIVATED: i16 = 1;
/// Records that are deleted at once when an import is undone.
const PORTION: i64 = 500;

/// An import under way. One that is neither swapped in nor undone is undone by whoever finds it expired.
#[derive(Debug)]
#[must_use = "an import that is not finished has to be undone"]
pub struct Staging {
    db: Db,
    id: AccountId,
    token: String,
    /// Staged so far.
    added: i64,
}

/// The end of an import, in one transaction. Dropped without [`Import::finish`] it never was, and the import goes on.
#[must_use = "an import that is not finished is undone"]
pub struct Import {
    tx: Tx,
    commit: NewCommit,
    at: i64,
    /// By how much the number of records changes.
    added: i64,
    /// The world is told.
    announced: bool,
}

impl Staging {
    /// From here on the repository takes no commits, until `until` unless that is prolonged; microseconds. `token` is the import's own.
    ///
    /// # Errors
    /// [`CommitError::Imported`] by another one that has not expired, [`CommitError::Closed`] if the account is taken down (it may be
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

    /// Stages records at paths where there are none, of the revision of `commit`; its own writes do not count. A record may refer to a
    /// blob that is still to be uploaded; one that waits for a record becomes permanent.
    ///
    /// # Errors
    /// When the database cannot be written, or the import has expired and was undone.
    pub async fn write(&mut self, commit: &NewCommit, writes: Vec<RecordWrite>, at: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        held(&mut tx, self.id, &self.token).await?.then_some(()).ok_or(Error::ImportLost { id: self.id })?;
        let full = tx.disk_full.clone();
        let portion = NewCommit { writes, ..commit.clone() };
        let added = store(&mut tx, &portion, at).await.inspect_err(|error| full.failed_with(error))?;
        tx.commit().await?;
        self.added += added;
        Ok(())
    }

    /// The import holds on until then; microseconds.
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

    /// Moves the head: what was staged is the repository when [`Import::finish`] has returned. Changes and deletions of records that
    /// were there before come in between. `at` is now, in microseconds.
    ///
    /// # Errors
    /// [`CommitError::Closed`] if the account was taken down meanwhile, [`CommitError::Stale`] if the import has expired and was undone.
    pub async fn swap(&self, commit: NewCommit, at: i64) -> Result<Import, CommitError> {
        const SQL: &str = "update repo set rev = $4, commit_cid = $5, data_cid = $6, commit_bytes = $7, import_token = null, \
                           import_until = null where account_id = $1 and import_token = $2 and rev = $3 and closed <= 1 \
                           returning closed";
        let mut tx = self.db.begin().await?;
        let swapped: Option<(i16,)> = on!(&mut tx, conn => sqlx::query_as(SQL)
            .bind(self.id.0)
            .bind(&*self.token)
            .bind(commit.expect_rev.to_string())
            .bind(commit.rev.to_string())
            .bind(digest_bytes(&commit.commit))
            .bind(digest_bytes(&commit.data))
            .bind(&*commit.commit_bytes)
            .fetch_optional(conn))
        .map_err(Error::during("swap head of account", self.id))?;
        let Some((closed,)) = swapped else {
            drop(tx);
            return Err(match why_not_moved(&self.db, vec![self.id], DEACTIVATED).await? {
                CommitError::Imported { accounts } => CommitError::Stale { accounts },
                error => error,
            });
        };
        // An account that is still moving in is announced when its owner activates it.
        Ok(Import { tx, commit, at, added: self.added, announced: closed == 0 })
    }

    /// Deletes what was staged. From then on the repository takes commits again.
    ///
    /// # Errors
    /// When the database cannot be written: the import expires, and is undone then.
    pub async fn undo(self) -> Result<()> {
        undo(&self.db, self.id, &self.token).await
    }
}

impl Import {
    /// Makes some of the writes, each path once in all.
    ///
    /// # Errors
    /// When the database cannot be written; nothing of the import can be kept then.
    pub async fn write(&mut self, writes: Vec<RecordWrite>) -> Result<()> {
        let full = self.tx.disk_full.clone();
        self.commit.writes = writes;
        self.added += store(&mut self.tx, &self.commit, self.at).await.inspect_err(|error| full.failed_with(error))?;
        Ok(())
    }

    /// Adds the event, if the account is one that the world is told of, and makes everything durable and visible.
    ///
    /// # Errors
    /// As [`Tx::commit`]: if the answer to COMMIT does not arrive the outcome is unknown.
    pub async fn finish(mut self) -> Result<()> {
        const COUNT: &str = "update repo set record_count = record_count + $2 where account_id = $1";
        let id = self.commit.account_id;
        execute!(&mut self.tx, COUNT, id.0, self.added).map_err(Error::during("count records of account", id))?;
        if self.announced {
            event::append(&mut self.tx, std::slice::from_ref(&self.commit.frame), self.at).await?;
        }
        self.tx.commit().await
    }
}

/// Makes a commit's writes; by how much the number of records changes.
async fn store(tx: &mut Tx, commit: &NewCommit, at: i64) -> Result<i64> {
    let (nets, _): (Vec<Net<'_>>, _) = net::fold(std::slice::from_ref(commit));
    let mut added = 0;
    for net in &nets {
        added += net.added();
        // Which blobs are not there is no reason to refuse: they come after the records.
        match &mut tx.open {
            Open::Sqlite(tx) => dialect::sqlite::commit::write(tx, net, at, &mut Vec::new()).await?,
            Open::Postgres(tx) => drop(dialect::postgres::commit::write(tx, std::slice::from_ref(net), at).await?),
        }
    }
    Ok(added)
}

/// Whether the import is still the one with this token, which it is then until the transaction ends: whoever undoes it waits for that.
/// Commits of other repositories never wait.
async fn held(tx: &mut Tx, id: AccountId, token: &str) -> Result<bool> {
    const HELD: &str = "select 1 from repo where account_id = $1 and import_token = $2";
    const HOLD: &str = "select 1 from repo where account_id = $1 and import_token = $2 for key share";
    let sql = if matches!(tx.open, Open::Postgres(_)) { HOLD } else { HELD };
    let row: Option<(i32,)> = on!(tx, conn => sqlx::query_as(sql).bind(id.0).bind(token).fetch_optional(conn))
        .map_err(Error::during("hold import of account", id))?;
    Ok(row.is_some())
}

/// Repositories whose import has expired by `now`; microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn expired(db: &Db, now: i64, limit: u32) -> Result<Vec<AccountId>> {
    const SQL: &str = "select account_id from repo where import_until < $1 order by import_until limit $2";
    let rows: Vec<(i64,)> = on!(db, conn => sqlx::query_as(SQL).bind(now).bind(i64::from(limit)).fetch_all(conn))
        .map_err(Error::during("list", "expired imports"))?;
    Ok(rows.into_iter().map(|(id,)| AccountId(id)).collect())
}

/// Undoes the import of a repository that has expired: its server has died. Says whether there was one.
///
/// # Errors
/// When the database cannot be written.
pub async fn undo_expired(db: &Db, id: AccountId, now: i64) -> Result<bool> {
    const EXPIRED: &str = "select import_token from repo where account_id = $1 and import_until < $2";
    let row: Option<(Option<String>,)> =
        on!(db, conn => sqlx::query_as(EXPIRED).bind(id.0).bind(now).fetch_optional(conn))
            .map_err(Error::during("look for an import of account", id))?;
    let Some((Some(token),)) = row else { return Ok(false) };
    undo(db, id, &token).await?;
    Ok(true)
}

async fn undo(db: &Db, id: AccountId, token: &str) -> Result<()> {
    const LOCK: &str = "select 1 from repo where account_id = $1 for update";
    const TAKE: &str = "update repo set import_token = $3 where account_id = $1 and import_token = $2";
    const STAGED: &str = "select r.path, r.rev from record r where r.repo_id = $1 and r.path > $2 \
                          and r.rev > (select h.rev from repo h where h.account_id = $1) order by r.path limit $3";
    const END: &str =
        "update repo set import_token = null, import_until = null where account_id = $1 and import_token = $2";
    let failed = || Error::during("undo import of account", id);
    // Under another name first: the importer may only be slow, and must not stage anything behind this.
    let undoing = format!("undo {token}");
    let mut tx = db.begin().await?;
    if matches!(tx.open, Open::Postgres(_)) {
        execute!(&mut tx, LOCK, id.0).map_err(failed())?;
    }
    let taken = execute!(&mut tx, TAKE, id.0, token, &*undoing).map_err(failed())?;
    tx.commit().await?;
    // It is over already, and what is staged now is another's.
    if taken == 0 {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let staged: Vec<(Text<RepoPath>, Text<Tid>)> = on!(db, conn => sqlx::query_as(STAGED)
            .bind(id.0)
            .bind(&*after)
            .bind(PORTION)
            .fetch_all(conn))
        .map_err(failed())?;
        let Some((Text(last), _)) = staged.last() else { break };
        after = last.to_string();
        let mut tx = db.begin().await?;
        // Somebody else undoes it by now, and another import may follow.
        if !held(&mut tx, id, &undoing).await? {
            return Ok(());
        }
        for (Text(path), Text(rev)) in &staged {
            forget(&mut tx, id, path, *rev).await?;
        }
        tx.commit().await?;
    }
    let mut tx = db.begin().await?;
    execute!(&mut tx, END, id.0, &*undoing).map_err(failed())?;
    tx.commit().await
}

async fn forget(tx: &mut Tx, id: AccountId, path: &RepoPath, rev: Tid) -> Result<()> {
    const RECORD: &str = "delete from record where repo_id = $1 and path = $2 and rev = $3";
    const BLOBS: &str = "delete from record_blob where repo_id = $1 and path = $2";
    let failed = || Error::during("delete staged record", path);
    if execute!(&mut *tx, RECORD, id.0, path.as_str(), rev.to_string()).map_err(failed())? == 1 {
        execute!(tx, BLOBS, id.0, path.as_str()).map_err(failed())?;
    }
    Ok(())
}
