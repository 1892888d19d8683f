//! The event sequence: frames in one gapless order, the same for every reader.
//!
//! Frames are appended in the transaction of the change that they announce, so an event exists if and only if its change does. A row contains
//! frames of one transaction, packed. Numbering locks the counter's row until the transaction ends; Postgres releases that lock only when
//! the commit is flushed and visible. So the next numbers belong to a transaction that commits later, and a reader that saw number n has
//! seen all below n.
//!
//! Reading rows into live subscriptions is the sequencer's task; this module only stores events, reads pages of them and wakes readers.

mod adopt;
mod appended;
mod payload;
mod wakeups;

use bytes::Bytes;
use pds_repo::event::Frame;
use sqlx::Postgres;

use crate::{
    Db, Error, Result, Source, Tx,
    dialect::postgres::in_time,
    meter::here,
    pools::{Pool, Pools},
    source::{execute, on},
};

pub use adopt::{Numbered, adopt, continue_behind};
pub(crate) use appended::Appended;
pub(crate) use payload::{Row, rows};
pub use wakeups::{Teller, Wakeups};

/// Frames of one transaction, numbered from `first_seq` without a gap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// Number of the first frame.
    pub first_seq: i64,
    /// Number of frames.
    pub n: u32,
    /// When it was written, by the writer's clock; microseconds.
    pub at: i64,
    /// The stored bytes; see [`Batch::frames`].
    payload: Bytes,
}

impl Batch {
    fn new(first_seq: i64, n: i32, at: i64, payload: Vec<u8>) -> Self {
        Self { first_seq, n: n.max(0).unsigned_abs(), at, payload: payload.into() }
    }

    /// The number of the last frame.
    #[must_use]
    pub fn last_seq(&self) -> i64 {
        self.first_seq + i64::from(self.n) - 1
    }

    /// The frames with their numbers.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the payload does not decode.
    pub fn frames(&self) -> Result<Vec<(i64, Frame)>> {
        let damaged = |reason: String| Error::Damaged { what: "event", id: self.first_seq.to_string(), reason };
        let frames = payload::unpack(&self.payload).map_err(damaged)?;
        if u32::try_from(frames.len()) != Ok(self.n) {
            return Err(damaged(format!("{} frames instead of {}", frames.len(), self.n)));
        }
        Ok((self.first_seq..).zip(frames).collect())
    }

    /// Bytes as stored, for budgets.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.payload.len()
    }
}

/// The longest payload that Postgres stores in the page of its row. A longer one is cut into pieces of 2 KB, each with an index entry, which
/// costs more than the rest of a commit.
pub const ROW_BYTES: usize = 8_000;

/// Appends frames and returns the number of the first; the rest follow. `at` is now, in microseconds.
///
/// It must be the transaction's last statement: all other writers of events wait until the transaction ends. Without frames it does nothing
/// and returns the number that would be next.
///
/// # Errors
/// When the database cannot be written.
pub async fn append(tx: &mut Tx, frames: &[Frame], at: i64) -> Result<i64> {
    const RANGE: &str = "update seq_state set next = next + $1 where id = 1 returning next - $1";
    const INSERT: &str = "insert into event (first_seq, n, at, payload) values ($1, $2, $3, $4)";
    if frames.is_empty() {
        return Ok(head(tx).await? + 1);
    }
    if tx.turn.is_none() {
        // Without it, after a long wait, the transaction goes on: the turn only keeps the line before the counter short.
        tx.turn = tx.line.turn().await;
    }
    let n = i32::try_from(frames.len()).unwrap_or(i32::MAX);
    let failed = || Error::during("append", "events");
    let (first_seq,): (i64,) =
        on!(&mut *tx, conn => sqlx::query_as(RANGE).bind(i64::from(n)).fetch_one(conn)).map_err(failed())?;
    for row in rows(frames, ROW_BYTES) {
        execute!(&mut *tx, INSERT, first_seq + row.before, row.n, at, &*row.payload).map_err(failed())?;
    }
    tx.last_seq = Some(first_seq + i64::from(n) - 1);
    Ok(first_seq)
}

/// The number of the last event, 0 if there never was one.
///
/// # Errors
/// When the database cannot be read.
pub async fn head<'a>(source: impl Into<Source<'a>>) -> Result<i64> {
    const SQL: &str = "select next - 1 from seq_state where id = 1";
    let (head,): (i64,) =
        on!(source, conn => sqlx::query_as(SQL).fetch_one(conn)).map_err(Error::during("read", "sequence head"))?;
    Ok(head)
}

/// The number of the oldest event that is kept.
///
/// # Errors
/// When the database cannot be read.
pub async fn oldest<'a>(source: impl Into<Source<'a>>) -> Result<Option<i64>> {
    const SQL: &str = "select min(first_seq) from event";
    let (oldest,): (Option<i64>,) =
        on!(source, conn => sqlx::query_as(SQL).fetch_one(conn)).map_err(Error::during("read", "oldest event"))?;
    Ok(oldest)
}

/// The number of the first event written at or after a time (microseconds), by the writers' clocks.
///
/// # Errors
/// When the database cannot be read.
pub async fn at<'a>(source: impl Into<Source<'a>>, time: i64) -> Result<Option<i64>> {
    let row: Option<(i64,)> = on!(source, conn => sqlx::query_as(AT).bind(time).fetch_optional(conn))
        .map_err(Error::during("find events at", time))?;
    Ok(row.map(|(first_seq,)| first_seq))
}

/// From the batch that holds the number after `$1` to the one that holds `$2`. Read row by row, until the budget is used up.
pub(crate) const BETWEEN_SQLITE: &str = "select first_seq, n, at, payload from event \
     where first_seq >= coalesce((select max(first_seq) from event where first_seq <= $1 + 1), 0) \
       and first_seq + n > $1 + 1 and first_seq <= $2 \
     order by first_seq";

/// The same, with the payloads that are in the page of their row. A page of events ends before a longer payload, unless that is the first,
/// which is then read alone. So a page is never long, and the sizes need not be read first, which took a fifth of the database's time.
pub(crate) const BETWEEN_POSTGRES: &str = "select first_seq, n, at, case when octet_length(payload) <= $3 then payload end \
     from event \
     where first_seq >= coalesce((select max(first_seq) from event where first_seq <= $1 + 1), 0) \
       and first_seq + n > $1 + 1 and first_seq <= $2 \
     order by first_seq limit $4";

pub(crate) const PAYLOAD: &str = "select payload from event where first_seq = $1";

pub(crate) const AT: &str = "select first_seq from event where at >= $1 order by at, first_seq limit 1";

/// Batches in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// The first may begin before the number that was asked for.
    pub batches: Vec<Batch>,
    /// The page ended at its maximum size: there may be more events.
    pub is_cut: bool,
}

/// The next batches that hold events after number `seq`: at least one if there is one, and not many more than `max_bytes` (as stored)
/// have room for.
///
/// # Errors
/// When the database cannot be read.
pub async fn after(db: &Db, seq: i64, max_bytes: usize) -> Result<Page> {
    between(db, seq, i64::MAX, max_bytes).await
}

/// As [`after`], up to number `last`.
///
/// # Errors
/// When the database cannot be read.
pub async fn between(db: &Db, seq: i64, last: i64, max_bytes: usize) -> Result<Page> {
    let max_bytes = max_bytes.max(1);
    let seq = seq.min(i64::MAX - 1);
    match &db.pools {
        Pools::Sqlite { bulk, .. } => {
            bulk.run(here!(), move |conn| {
                let (mut page, mut bytes) = (Page { batches: Vec::new(), is_cut: false }, 0_usize);
                let mut statement = conn.prepare_cached(BETWEEN_SQLITE)?;
                let mut rows = statement.query([seq, last])?;
                while let Some(row) = rows.next()? {
                    let (first_seq, n, at, payload): (_, _, _, Vec<u8>) = row.try_into()?;
                    bytes = bytes.saturating_add(payload.len());
                    page.batches.push(Batch::new(first_seq, n, at, payload));
                    if bytes >= max_bytes {
                        page.is_cut = true;
                        break;
                    }
                }
                Ok(page)
            })
            .await
        }
        Pools::Postgres(pool) => in_time(between_postgres(pool, seq, last, max_bytes)).await,
    }
    .map_err(Error::during("read events after", seq))
}

async fn between_postgres(pool: &Pool<Postgres>, seq: i64, last: i64, max_bytes: usize) -> sqlx::Result<Page> {
    // No page is much longer than asked for. A few rows more, because most are shorter; those that are too many are read again.
    let limit = max_bytes / ROW_BYTES + 8;
    let query = sqlx::query_as(BETWEEN_POSTGRES)
        .bind(seq)
        .bind(last)
        .bind(i32::try_from(ROW_BYTES).unwrap_or(i32::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut held = pool.acquire().await?;
    let rows: Vec<(i64, i32, i64, Option<Vec<u8>>)> = pool.meter().run(here!(), query.fetch_all(&mut *held)).await?;
    drop(held);
    let (mut page, mut bytes) = (Page { batches: Vec::new(), is_cut: rows.len() == limit }, 0_usize);
    for (first_seq, n, at, payload) in rows {
        let is_first = page.batches.is_empty();
        let payload = match payload {
            None if is_first => {
                sqlx::query_scalar(PAYLOAD).bind(first_seq).fetch_optional(&mut *pool.acquire().await?).await?
            }
            payload => payload.filter(|_| bytes < max_bytes),
        };
        let Some(payload) = payload else {
            page.is_cut = true;
            if is_first {
                // Pruned just now.
                continue;
            }
            break;
        };
        bytes = bytes.saturating_add(payload.len());
        page.batches.push(Batch::new(first_seq, n, at, payload));
    }
    Ok(page)
}

/// Deletes events written before a time (microseconds), at most `limit` rows. Returns the number of deleted rows.
///
/// The rest is always a gapless end of the sequence, also when the writers' clocks differ.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune_before(tx: &mut Tx, time: i64, limit: u32) -> Result<u64> {
    const SQL: &str = "delete from event where first_seq in ( \
                       select first_seq from event \
                       where first_seq < coalesce((select min(first_seq) from event where at >= $1), \
                                                  (select next from seq_state where id = 1)) \
                       order by first_seq limit $2)";
    execute!(tx, SQL, time, i64::from(limit)).map_err(Error::during("prune events before", time))
}
