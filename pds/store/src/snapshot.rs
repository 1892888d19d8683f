//! Read-only views of one moment: for what must not change between two reads.

use std::{fmt, future::ready, pin::Pin, sync::Arc};

use futures::{Stream, TryStreamExt};
use pds_repo::Cid;
use pds_syntax::{Did, RepoPath, Tid};
use rusqlite::{OptionalExtension, params};
use sqlx::{Postgres, Row, Transaction, postgres::PgRow};

use crate::{
    AccountId, Db, Error, Result,
    bulk::Turn,
    column::Digest,
    dialect::{
        postgres::{begin, each_in_time, in_time},
        sqlite::reader::{Reader, Readers},
    },
    meter::{Meter, here},
    pools::{Pool, Pools},
    record::{self, Record, RecordRow, stored},
    repo::{self, Loaded, LoadedRow, Root, RootRow},
};

/// A read-only view of the database at one moment: that of its first read.
///
/// It holds a connection, and on Postgres it holds back vacuum: limit the time that it is kept.
pub struct Snapshot {
    view: View,
    _turn: Option<Turn>,
}

enum View {
    Sqlite(Reader),
    Postgres(Transaction<'static, Postgres>, Meter),
}

pub(crate) const ENTRIES: &str = "select path, cid from record where repo_id = $1 order by path";
/// The same while the repository is being imported. Slower: the revision is not in the index.
pub(crate) const ENTRIES_STORED: &str = stored!("select path, cid from record where repo_id = $1", " order by path");
pub(crate) const IS_IMPORTED: &str = "select import_token is not null from repo where account_id = $1";
pub(crate) const BODIES_SQLITE: &str =
    stored!("select path, cid, body from record where repo_id = $1 and path > $2 and rev > $3", " order by path");
pub(crate) const BODIES_POSTGRES: &str =
    stored!("select cid, body from record where repo_id = $1 and rev > $2", " order by path");

/// Of each size of bodies in the repository, how many there are.
pub(crate) const SIZES: &str =
    stored!("select cast(length(body) as bigint), count(*) from record where repo_id = $1", " group by 1");

impl Db {
    /// Begins a read-only view of one moment: that of its first read. On Postgres all such views together leave half of the connections free.
    ///
    /// # Errors
    /// Unavailable when no connection came free in time.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let begun = match &self.pools {
            Pools::Sqlite { bulk, .. } => Snapshot::on_sqlite(bulk).await,
            Pools::Postgres(pool) => match self.bulk.turn().await {
                Ok(turn) => Snapshot::on_postgres(pool, Some(turn)).await,
                Err(error) => Err(error),
            },
        };
        begun.map_err(Error::during("begin", "snapshot"))
    }

    /// As [`Db::snapshot`], for a write, which does not wait for readers.
    ///
    /// # Errors
    /// Unavailable when no connection came free in time.
    pub async fn snapshot_for_write(&self) -> Result<Snapshot> {
        let begun = match &self.pools {
            Pools::Sqlite { bulk, .. } => Snapshot::on_sqlite(bulk).await,
            Pools::Postgres(pool) => Snapshot::on_postgres(pool, None).await,
        };
        begun.map_err(Error::during("begin", "snapshot"))
    }
}

impl Snapshot {
    async fn on_sqlite(readers: &Readers) -> sqlx::Result<Self> {
        let mut reader = readers.acquire().await?;
        reader.run(here!(), |conn| conn.execute_batch("begin")).await?;
        Ok(Self { view: View::Sqlite(reader), _turn: None })
    }

    async fn on_postgres(pool: &Pool<Postgres>, turn: Option<Turn>) -> sqlx::Result<Self> {
        let tx = begin(pool, Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")).await?;
        Ok(Self { view: View::Postgres(tx, pool.meter().clone()), _turn: turn })
    }

    /// As [`repo::root`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn root(&mut self, id: AccountId) -> Result<Option<Root>> {
        match &mut self.view {
            View::Sqlite(reader) => {
                let row: Option<RootRow> = reader
                    .optional(here!(), repo::ROOT, [id.0])
                    .await
                    .map_err(Error::during("read head of account", id))?;
                Ok(row.map(Root::from))
            }
            View::Postgres(tx, meter) => repo::root((&mut **tx, &*meter), id).await,
        }
    }

    /// As [`repo::load`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&mut self, did: &Did) -> Result<Option<Loaded>> {
        match &mut self.view {
            View::Sqlite(reader) => {
                let row: Option<LoadedRow> = reader
                    .optional(here!(), repo::LOAD, [did.to_string()])
                    .await
                    .map_err(Error::during("load repository", did))?;
                Ok(row.map(Loaded::from))
            }
            View::Postgres(tx, meter) => repo::load((&mut **tx, &*meter), did).await,
        }
    }

    /// As [`record::get`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn record(&mut self, id: AccountId, path: &RepoPath) -> Result<Option<Record>> {
        match &mut self.view {
            View::Sqlite(reader) => {
                let row: Option<RecordRow> = reader
                    .optional(here!(), record::GET, (id.0, path.to_string()))
                    .await
                    .map_err(Error::during("read record", format_args!("{path} of account {id}")))?;
                Ok(row.map(Record::from))
            }
            View::Postgres(tx, meter) => record::get((&mut **tx, &*meter), id, path).await,
        }
    }

    /// Adds all paths and CIDs of a repository to `all`, in tree order. This takes up to a few microseconds for each record: call it within
    /// [`drive`](crate::background::drive).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn entries<T>(&mut self, id: AccountId, mut all: T) -> Result<T>
    where
        T: Extend<(Arc<str>, Cid)> + Send + 'static,
    {
        let read = match &mut self.view {
            View::Sqlite(reader) => reader.run(here!(), move |conn| read_entries(conn, id, all)).await,
            View::Postgres(tx, meter) => {
                let imported: Option<(bool,)> =
                    in_time(sqlx::query_as(IS_IMPORTED).bind(id.0).fetch_optional(&mut **tx))
                        .await
                        .map_err(Error::during("read head of account", id))?;
                let sql = if imported == Some((true,)) { ENTRIES_STORED } else { ENTRIES };
                let rows = each_in_time(sqlx::query(sql).bind(id.0).fetch(&mut **tx));
                let entry = |row: PgRow| Ok((Arc::from(row.try_get::<&str, _>(0)?), row.try_get::<Digest, _>(1)?.0));
                let extend = |entry| {
                    all.extend([entry]);
                    ready(Ok(()))
                };
                let read = rows.and_then(|row| ready(entry(row))).try_for_each(extend);
                meter.run(here!(), read).await.map(|()| all)
            }
        };
        read.map_err(Error::during("read entries of account", id))
    }

    /// The sizes of all bodies of a repository in bytes, each with the number of bodies that have it, in any order. Reads no body.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn body_sizes(&mut self, id: AccountId) -> Result<Vec<(u64, u64)>> {
        let sizes: sqlx::Result<Vec<(i64, i64)>> = match &mut self.view {
            View::Sqlite(reader) => reader.run(here!(), move |conn| read_sizes(conn, id)).await,
            View::Postgres(tx, meter) => {
                let sizes = sqlx::query_as(SIZES).bind(id.0).fetch_all(&mut **tx);
                in_time(meter.run(here!(), sizes)).await
            }
        };
        let sizes = sizes.map_err(Error::during("measure records of account", id))?;
        let positive = |number: i64| number.max(0).unsigned_abs();
        Ok(sizes.into_iter().map(|(bytes, count)| (positive(bytes), positive(count))).collect())
    }

    /// The bodies of all records of a repository in tree order, or only of those written after a revision.
    pub fn bodies(&mut self, id: AccountId, since: Option<Tid>) -> Bodies<'_> {
        let since = since.map_or_else(String::new, |rev| rev.to_string());
        let from = match &mut self.view {
            View::Sqlite(reader) => From::Sqlite { reader, since, after: Some(String::new()) },
            View::Postgres(tx, _) => {
                From::Postgres(sqlx::query(BODIES_POSTGRES).bind(id.0).bind(since).fetch(&mut **tx))
            }
        };
        Bodies { id, from }
    }
}

/// Bodies of records, read as they are asked for; see [`Snapshot::bodies`].
pub struct Bodies<'a> {
    id: AccountId,
    from: From<'a>,
}

enum From<'a> {
    /// `after` is the last path read; `None` at the end.
    Sqlite {
        reader: &'a mut Reader,
        since: String,
        after: Option<String>,
    },
    Postgres(Pin<Box<dyn Stream<Item = sqlx::Result<PgRow>> + Send + 'a>>),
}

/// Bytes after which a page is full.
const PAGE: usize = 128 * 1024;

/// Bodies in order.
#[derive(Debug, Default)]
pub struct Page {
    bytes: Vec<u8>,
    /// CID and end of each.
    ends: Vec<(Cid, usize)>,
}

impl Page {
    /// CID and DAG-CBOR of the body at position `at`, counted from 0.
    pub fn get(&self, at: usize) -> Option<(Cid, &[u8])> {
        let (cid, end) = *self.ends.get(at)?;
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        Some((cid, &self.bytes[begin..end]))
    }

    fn push(&mut self, cid: Cid, body: &[u8]) {
        self.bytes.extend_from_slice(body);
        self.ends.push((cid, self.bytes.len()));
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= PAGE
    }
}

impl Bodies<'_> {
    /// The next page; none at the end.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next(&mut self) -> Result<Option<Page>> {
        let id = self.id;
        let page = match &mut self.from {
            From::Sqlite { after: None, .. } => return Ok(None),
            From::Sqlite { reader, since, after } => {
                let (last, since) = (after.take().unwrap_or_default(), since.clone());
                let read = reader.run(here!(), move |conn| read_page(conn, id, &last, &since)).await;
                read.map(|(page, last)| {
                    *after = last;
                    page
                })
            }
            From::Postgres(rows) => in_time(collect_page(rows)).await,
        };
        let page = page.map_err(Error::during("read records of account", id))?;
        Ok(Some(page).filter(|page| !page.ends.is_empty()))
    }
}

/// A page and the path of its last record, if there may be more.
fn read_page(
    conn: &rusqlite::Connection,
    id: AccountId,
    after: &str,
    since: &str,
) -> rusqlite::Result<(Page, Option<String>)> {
    let mut statement = conn.prepare_cached(BODIES_SQLITE)?;
    let mut rows = statement.query(params![id.0, after, since])?;
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        page.push(row.get::<_, Digest>(1)?.0, row.get_ref(2)?.as_blob()?);
        if page.is_full() {
            return Ok((page, Some(row.get(0)?)));
        }
    }
    Ok((page, None))
}

fn read_sizes(conn: &rusqlite::Connection, id: AccountId) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement = conn.prepare_cached(SIZES)?;
    statement.query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The entries of a repository, added to `all`.
fn read_entries<T: Extend<(Arc<str>, Cid)>>(
    conn: &rusqlite::Connection,
    id: AccountId,
    mut all: T,
) -> rusqlite::Result<T> {
    let mut imported = conn.prepare_cached(IS_IMPORTED)?;
    let imported: Option<bool> = imported.query_row([id.0], |row| row.get(0)).optional()?;
    let sql = if imported == Some(true) { ENTRIES_STORED } else { ENTRIES };
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([id.0])?;
    while let Some(row) = rows.next()? {
        all.extend([(Arc::from(row.get_ref(0)?.as_str()?), row.get::<_, Digest>(1)?.0)]);
    }
    Ok(all)
}

async fn collect_page(rows: &mut (impl Stream<Item = sqlx::Result<PgRow>> + Unpin)) -> sqlx::Result<Page> {
    let mut page = Page::default();
    while !page.is_full() {
        let Some(row) = rows.try_next().await? else { break };
        page.push(row.try_get::<Digest, _>(0)?.0, row.try_get(1)?);
    }
    Ok(page)
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.view {
            View::Sqlite(_) => "Snapshot(SQLite)",
            View::Postgres(..) => "Snapshot(Postgres)",
        })
    }
}
