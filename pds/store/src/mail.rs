//! Mails that wait to be sent. Their content is sealed by the caller.
//!
//! A replica claims a mail by moving its next attempt into the future, and deletes it when it is sent. If the replica dies in between, another one
//! sends the mail later: a mail is sent at least once.

use crate::{
    AccountId, Db, Error, Result, Source, Tx,
    row::row,
    source::{execute, on},
    tx::Open,
};

/// A mail to queue.
#[derive(Clone, Copy, Debug)]
pub struct NewMail<'a> {
    /// The account that it is about.
    pub account_id: Option<AccountId>,
    pub kind: &'a str,
    /// Whether it replaces unsent mails of the same account and kind: a newer code makes the earlier one useless, and news do not replace each other.
    pub replaces: bool,
    /// Recipient and content, sealed.
    pub sealed: &'a [u8],
    /// Now; microseconds.
    pub created_at: i64,
    /// When it is useless; microseconds.
    pub expires_at: i64,
}

/// A mail to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claimed {
    /// Its key.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// Recipient and content, sealed.
    pub sealed: Vec<u8>,
    /// Number of attempts, this one included.
    pub attempts: u32,
    /// When it is useless; microseconds.
    pub expires_at: i64,
}

/// The mails that wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// Their number.
    pub count: u64,
    /// When the oldest was queued; microseconds.
    pub oldest: Option<i64>,
}

/// How many mails may wait.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub of_all: i64,
    /// About one account.
    pub of_one: i64,
}

row! {
    struct Row {
        id: i64,
        kind: String,
        sealed: Vec<u8>,
        attempts: i32,
        expires_at: i64,
    }
}

/// Queues a mail, perhaps in place of an unsent one. Returns false, and queues nothing, if as many as may wait do already.
///
/// # Errors
/// When the database cannot be written.
pub async fn queue(tx: &mut Tx, new: &NewMail<'_>, most: Most) -> Result<bool> {
    const REPLACE: &str = "delete from mail where account_id = $1 and kind = $2";
    const QUEUE: &str = "insert into mail (account_id, kind, sealed, created_at, due, expires_at) \
                         select $1, $2, $3, $4, $5, $6 where (select count(*) from mail) < $7 \
                         and (select count(*) from mail where account_id = $1) < $8";
    let failed = || Error::during("queue a mail of kind", new.kind);
    let account = new.account_id.map(|id| id.0);
    if new.replaces && account.is_some() {
        execute!(&mut *tx, REPLACE, account, new.kind).map_err(failed())?;
    }
    let (at, end) = (new.created_at, new.expires_at);
    let queued =
        execute!(tx, QUEUE, account, new.kind, new.sealed, at, at, end, most.of_all, most.of_one).map_err(failed())?;
    Ok(queued == 1)
}

/// Claims the mails that are due, oldest first, until a time. Nobody else claims them before. Times are in microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn claim(db: &Db, now: i64, until: i64, limit: u32) -> Result<Vec<Claimed>> {
    macro_rules! claim {
        ($lock:literal) => {
            concat!(
                "update mail set due = $2, attempts = attempts + 1 where id in \
                 (select id from mail where due <= $1 order by due, id limit $3",
                $lock,
                ") returning id, kind, sealed, attempts, expires_at"
            )
        };
    }
    let mut tx = db.begin().await?;
    let sql = match tx.open {
        Open::Postgres(_) => claim!(" for update skip locked"),
        Open::Sqlite(_) => claim!(""),
    };
    let rows: Vec<Row> = on!(&mut tx, conn => sqlx::query_as(sql)
        .bind(now)
        .bind(until)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("claim", "mails"))?;
    tx.commit().await?;
    let mut claimed: Vec<Claimed> = rows
        .into_iter()
        .map(|row| Claimed {
            id: row.id,
            kind: row.kind,
            sealed: row.sealed,
            attempts: row.attempts.max(0).unsigned_abs(),
            expires_at: row.expires_at,
        })
        .collect();
    claimed.sort_by_key(|mail| mail.id);
    Ok(claimed)
}

/// Whether a mail is due at `now`, in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_due<'a>(source: impl Into<Source<'a>>, now: i64) -> Result<bool> {
    let due: Option<(i64,)> = on!(source, conn => sqlx::query_as(DUE).bind(now).fetch_optional(conn))
        .map_err(Error::during("look for", "mails"))?;
    Ok(due.is_some())
}

pub(crate) const DUE: &str = "select id from mail where due <= $1 order by due limit 1";

/// Deletes a mail that was sent, or that never will be.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove(tx: &mut Tx, id: i64) -> Result<()> {
    const SQL: &str = "delete from mail where id = $1";
    execute!(tx, SQL, id).map_err(Error::during("remove mail", id))?;
    Ok(())
}

/// Sets the next attempt of a mail; microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn postpone(tx: &mut Tx, id: i64, due: i64) -> Result<()> {
    const SQL: &str = "update mail set due = $2 where id = $1";
    execute!(tx, SQL, id, due).map_err(Error::during("postpone mail", id))?;
    Ok(())
}

/// How many mails wait, and since when.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting<'a>(source: impl Into<Source<'a>>) -> Result<Waiting> {
    const SQL: &str = "select count(*), min(created_at) from mail";
    let (count, oldest): (i64, Option<i64>) =
        on!(source, conn => sqlx::query_as(SQL).fetch_one(conn)).map_err(Error::during("count", "mails"))?;
    Ok(Waiting { count: count.max(0).unsigned_abs(), oldest })
}
