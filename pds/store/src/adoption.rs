//! The import of another server's whole data directory into this database: whether one has begun, and what it writes that nothing else does.
//!
//! Accounts of an import are reserved until all of their data is there. So an account that is not reserved is complete, and one that is reserved
//! when an import begins again is removed and imported anew.

use crate::{
    AccountId, Db, Error, Result, Source, Tx,
    account::{self, Purge},
    row::row,
    source::{execute, on},
};

/// An import that has begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adoption {
    /// Tells data directories apart.
    pub source: String,
    /// When it began first; microseconds.
    pub started_at: i64,
    /// When it ended; microseconds.
    pub finished_at: Option<i64>,
}

row! {
    struct Row {
        source: String,
        started_at: i64,
        finished_at: Option<i64>,
    }
}

/// The import that has begun in this database, if one has.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>) -> Result<Option<Adoption>> {
    const SQL: &str = "select source, started_at, finished_at from adoption where id = 1";
    let row: Option<Row> =
        on!(source, conn => sqlx::query_as(SQL).fetch_optional(conn)).map_err(Error::during("read", "adoption"))?;
    Ok(row.map(|Row { source, started_at, finished_at }| Adoption { source, started_at, finished_at }))
}

/// Whether the database has neither accounts nor events, and never had any.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_possible<'a>(source: impl Into<Source<'a>>) -> Result<bool> {
    const SQL: &str = "select (select count(*) from (select 1 from account limit 1) a) \
                       + (select count(*) from (select 1 from tombstone limit 1) t) \
                       + (select count(*) from (select 1 from invite_code limit 1) i) \
                       + (select next - 1 from seq_state where id = 1)";
    let (rows,): (i64,) =
        on!(source, conn => sqlx::query_as(SQL).fetch_one(conn)).map_err(Error::during("look for", "data"))?;
    Ok(rows == 0)
}

/// Notes that an import begins at `at`, in microseconds. `false` if one has begun before.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin(tx: &mut Tx, source: &str, at: i64) -> Result<bool> {
    const SQL: &str = "insert into adoption (id, source, started_at) values (1, $1, $2) on conflict (id) do nothing";
    Ok(execute!(tx, SQL, source, at).map_err(Error::during("begin", "adoption"))? == 1)
}

/// Notes that the import has ended.
///
/// # Errors
/// When the database cannot be written.
pub async fn finish(tx: &mut Tx, at: i64) -> Result<()> {
    const SQL: &str = "update adoption set finished_at = $1 where id = 1 and finished_at is null";
    execute!(tx, SQL, at).map_err(Error::during("finish", "adoption"))?;
    Ok(())
}

/// Removes an account that is still reserved, with all that was stored for it. Its objects in the blob store are noted as garbage. Does nothing to
/// other accounts.
///
/// # Errors
/// When the database cannot be written. The rest is removed by the next call.
pub async fn remove_reserved(db: &Db, id: AccountId, now: i64) -> Result<()> {
    const PORTION: u32 = 500;
    if account::by_id(db, id).await?.is_none_or(|account| account.activated_at.is_some()) {
        return Ok(());
    }
    loop {
        let mut tx = db.begin().await?;
        let left = account::purge_portion(&mut tx, id, now, PORTION).await?;
        tx.commit().await?;
        if left == Purge::Empty {
            break;
        }
    }
    let mut tx = db.begin().await?;
    account::give_back(&mut tx, id).await?;
    tx.commit().await
}

/// Notes a use of an invite code, whose number of uses counts it already.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_invite_use(tx: &mut Tx, code: &str, id: AccountId, used_at: i64) -> Result<()> {
    const SQL: &str =
        "insert into invite_code_use (code, account_id, used_at) values ($1, $2, $3) on conflict do nothing";
    execute!(tx, SQL, code, id.0, used_at).map_err(Error::during("note use of invite code by account", id))?;
    Ok(())
}
