//! Undoing imports.

use pds_syntax::RepoPath;

use super::hold::hold;
use crate::{
    AccountId, Db, Dialect, Error, Result, Tx,
    column::Text,
    list::{self, with_list},
    row::row,
    source::{execute, on},
    tx::Open,
};

/// Staged records that are deleted in one transaction.
const PORTION: i64 = 500;
/// References to blobs after which a transaction deletes no more.
const REFERENCES: i64 = 2_000;
/// Bytes of records after which a transaction deletes no more: freeing the pages of long records takes time.
const BYTES: i64 = 4 << 20;

row! {
    struct Staged {
        path: Text<RepoPath>,
        bytes: i64,
        blobs: i64,
    }
}

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
    const STAGED: &str = "select r.path, cast(length(r.body) as bigint) as bytes, \
                          (select count(*) from record_blob l where l.repo_id = r.repo_id and l.path = r.path) as blobs \
                          from record r where r.repo_id = $1 and r.path > $2 \
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
        let staged: Vec<Staged> = on!(db, conn => sqlx::query_as(STAGED)
            .bind(id.0)
            .bind(&*after)
            .bind(PORTION)
            .fetch_all(conn))
        .map_err(failed())?;
        let Some(last) = staged.last() else { break };
        after = last.path.0.to_string();
        let mut rest = &*staged;
        while !rest.is_empty() {
            let (portion, others) = rest.split_at(portion(rest));
            rest = others;
            let mut tx = db.begin().await?;
            // Another process has undone it by now, and another import may have begun.
            if !hold(&mut tx, id, &undoing).await? {
                return Ok(());
            }
            forget(&mut tx, id, portion).await?;
            tx.commit().await?;
        }
    }
    let mut tx = db.begin().await?;
    execute!(&mut tx, END, id.0, &*undoing).map_err(failed())?;
    tx.commit().await
}

/// How many of the records, at least one, are deleted in one transaction.
fn portion(staged: &[Staged]) -> usize {
    let (mut blobs, mut bytes) = (0, 0);
    let fits = staged.iter().take_while(|record| {
        blobs += record.blobs;
        bytes += record.bytes;
        blobs <= REFERENCES && bytes <= BYTES
    });
    fits.count().max(1)
}

/// Deletes staged records with their references to blobs.
async fn forget(tx: &mut Tx, id: AccountId, staged: &[Staged]) -> Result<()> {
    let dialect = match tx.open {
        Open::Sqlite(_) => Dialect::Sqlite,
        Open::Postgres(_) => Dialect::Postgres,
    };
    let blobs = with_list!(
        dialect,
        "delete from record_blob where repo_id = $1 and path in \
         (select r.path from record r where r.repo_id = $1 and r.path",
        LIST,
        " and r.rev > (select h.rev from repo h where h.account_id = $1))"
    );
    let records = with_list!(
        dialect,
        "delete from record where repo_id = $1 and path",
        LIST,
        " and rev > (select h.rev from repo h where h.account_id = $1)"
    );
    let paths = list::paths(staged.iter().map(|record| &record.path.0));
    for sql in [blobs, records] {
        execute!(&mut *tx, sql, id.0, &*paths).map_err(Error::during("delete staged records of account", id))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_is_bounded_by_references_and_bytes() {
        let staged = |count: usize, bytes, blobs| -> Vec<Staged> {
            (0..count).map(|n| Staged { path: Text(format!("a.b.c/{n}").parse().unwrap()), bytes, blobs }).collect()
        };
        assert_eq!(portion(&staged(500, 200, 4)), 500);
        assert_eq!(portion(&staged(500, 200, 1_000)), 2);
        assert_eq!(portion(&staged(500, 1 << 20, 0)), 4);
        assert_eq!(portion(&staged(2, 5 << 20, 3_000)), 1, "each record is deleted at some time");
    }
}
