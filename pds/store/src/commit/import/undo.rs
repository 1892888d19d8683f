//! Undoing imports.

use pds_syntax::{RepoPath, Tid};

use super::hold::hold;
use crate::{
    AccountId, Db, Error, Result, Tx,
    column::Text,
    source::{execute, on},
    tx::Open,
};

/// Staged records that are deleted in one transaction.
const PORTION: i64 = 500;

/// Repositories whose import has expired by `now`, in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn expired(db: &Db, now: i64, limit: u32) -> Result<Vec<AccountId>> {
    const SQL: &str = "select account_id from repo where import_until < $1 order by import_until limit $2";
    let rows: Vec<(i64,)> = on!(db, conn => sqlx::query_as(SQL).bind(now).bind(i64::from(limit)).fetch_all(conn))
        .map_err(Error::during("list", "expired imports"))?;
    Ok(rows.into_iter().map(|(id,)| AccountId(id)).collect())
}

/// Undoes the import of a repository if it has expired because its server has died. Returns whether it had. `now` is in microseconds.
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

/// Deletes what was staged, and lets the repository take commits again.
pub(super) async fn undo(db: &Db, id: AccountId, token: &str) -> Result<()> {
    const LOCK: &str = "select 1 from repo where account_id = $1 for update";
    const TAKE: &str = "update repo set import_token = $3 where account_id = $1 and import_token = $2";
    const STAGED: &str = "select r.path, r.rev from record r where r.repo_id = $1 and r.path > $2 \
                          and r.rev > (select h.rev from repo h where h.account_id = $1) order by r.path limit $3";
    const END: &str =
        "update repo set import_token = null, import_until = null where account_id = $1 and import_token = $2";
    let failed = || Error::during("undo import of account", id);
    // First another token: the importer may only be slow, and must not stage anything after this.
    let undoing = format!("undo {token}");
    let mut tx = db.begin().await?;
    if matches!(tx.open, Open::Postgres(_)) {
        execute!(&mut tx, LOCK, id.0).map_err(failed())?;
    }
    let taken = execute!(&mut tx, TAKE, id.0, token, &*undoing).map_err(failed())?;
    tx.commit().await?;
    // The import has ended already. Records that are staged now belong to another one.
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
        // Another process has undone it by now, and another import may have begun.
        if !hold(&mut tx, id, &undoing).await? {
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

/// Deletes a staged record with its references to blobs.
async fn forget(tx: &mut Tx, id: AccountId, path: &RepoPath, rev: Tid) -> Result<()> {
    const RECORD: &str = "delete from record where repo_id = $1 and path = $2 and rev = $3";
    const BLOBS: &str = "delete from record_blob where repo_id = $1 and path = $2";
    let failed = || Error::during("delete staged record", path);
    if execute!(&mut *tx, RECORD, id.0, path.as_str(), rev.to_string()).map_err(failed())? == 1 {
        execute!(tx, BLOBS, id.0, path.as_str()).map_err(failed())?;
    }
    Ok(())
}
