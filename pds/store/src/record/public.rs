//! What everybody may read of a repository, together with its account: one statement, or on SQLite one turn on a thread, answers both.

use pds_syntax::{AtIdentifier, Did, Nsid, RecordKey, RepoPath};
use rusqlite::{OptionalExtension, params};

use super::{Record, RecordRow, bounds};
use crate::{
    Db, Error, Result,
    account::{Status, status_columns, status_row},
    column::{Digest, Text},
    dialect::postgres::in_time,
    meter::here,
    pools::Pools,
    row::row,
    source::on,
};

/// Something of a repository, and its account at that moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfRepo<T> {
    /// The account's DID.
    pub did: Did,
    /// The account's state. Unless it is [`Status::Active`], nobody but the owner and the host may see what was found.
    pub status: Status,
    /// What was asked for.
    pub found: T,
}

/// Bytes of bodies after which a page is full. The record that exceeds it is the last, so that every page has at least one.
pub const PAGE_BYTES: usize = 1 << 20;

/// A page of a collection.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The key after which the page begins, in the page's order.
    pub cursor: Option<&'a RecordKey>,
    /// Maximum number of records.
    pub limit: u32,
    /// Smallest keys first, instead of greatest.
    pub ascending: bool,
}

/// The records of the repository `$repo` that everybody may read: not taken down, and not an import's that is not finished.
macro_rules! visible {
    ($table:literal, $repo:literal) => {
        concat!(
            $table,
            "repo_id = ",
            $repo,
            " and ",
            $table,
            "takedown_ref is null and ",
            $table,
            "rev <= (select h.rev from repo h where h.account_id = ",
            $repo,
            ")"
        )
    };
}

macro_rules! find {
    ($account:literal) => {
        concat!(
            "select a.did, ",
            status_columns!("a."),
            ", r.cid, r.body from account a left join record r on ",
            visible!("r.", "a.id"),
            " and r.path = $2 where ",
            $account,
            " = $1"
        )
    };
}

macro_rules! account_sqlite {
    ($account:literal) => {
        concat!("select a.id, a.did, ", status_columns!("a."), " from account a where ", $account, " = $1")
    };
}

macro_rules! page_sqlite {
    ($order:literal) => {
        concat!(
            "select path, cid, body from record where ",
            visible!("", "$1"),
            " and path > $2 and path < $3 order by path ",
            $order,
            " limit $4"
        )
    };
}

/// A page whose records are all short: of a record longer than `$5` bytes the path alone. The length of a body is known without reading it.
macro_rules! short_postgres {
    ($account:literal, $order:literal) => {
        concat!(
            "select a.did, ",
            status_columns!("a."),
            ", p.path, p.cid, p.body from account a left join lateral \
             (select path, cid, case when octet_length(body) <= $5 then body end as body from record where ",
            visible!("", "a.id"),
            " and path > $2 and path < $3 order by path ",
            $order,
            " limit $4) as p on true where ",
            $account,
            " = $1 order by p.path ",
            $order
        )
    };
}

/// A page of records of any length. Postgres sends the whole result, so that the statement itself limits the bytes.
macro_rules! long_postgres {
    ($account:literal, $order:literal) => {
        concat!(
            "select a.did, ",
            status_columns!("a."),
            ", p.path, p.cid, p.body from account a left join lateral \
             (select path, cid, body from (select path, cid, body, sum(octet_length(body)) over (order by path ",
            $order,
            " rows between unbounded preceding and 1 preceding) as before from (select path, cid, body from record where ",
            visible!("", "a.id"),
            " and path > $2 and path < $3 order by path ",
            $order,
            " limit $4) as page) as sized where coalesce(before, 0) < $5) as p on true where ",
            $account,
            " = $1 order by p.path ",
            $order
        )
    };
}

/// A statement for each kind of identifier.
pub(crate) struct By {
    pub(crate) did: &'static str,
    pub(crate) handle: &'static str,
}

macro_rules! by {
    ($statement:ident $(, $more:literal)*) => {
        By { did: $statement!("a.did" $(, $more)*), handle: $statement!("a.handle" $(, $more)*) }
    };
}

impl By {
    fn of(&self, repo: &AtIdentifier) -> &'static str {
        match repo {
            AtIdentifier::Did(_) => self.did,
            AtIdentifier::Handle(_) => self.handle,
        }
    }
}

pub(crate) const FIND: By = by!(find);
pub(crate) const ACCOUNT_SQLITE: By = by!(account_sqlite);
pub(crate) const DESCENDING_SQLITE: &str = page_sqlite!("desc");
pub(crate) const ASCENDING_SQLITE: &str = page_sqlite!("asc");
pub(crate) const SHORT_DESCENDING_POSTGRES: By = by!(short_postgres, "desc");
pub(crate) const SHORT_ASCENDING_POSTGRES: By = by!(short_postgres, "asc");
pub(crate) const LONG_DESCENDING_POSTGRES: By = by!(long_postgres, "desc");
pub(crate) const LONG_ASCENDING_POSTGRES: By = by!(long_postgres, "asc");

status_row! {
    struct FoundRow {
        did: Text<Did>,
        ..status,
        cid: Option<Digest>,
        body: Option<Vec<u8>>,
    }
}

status_row! {
    struct AccountRow {
        id: i64,
        did: Text<Did>,
        ..status,
    }
}

status_row! {
    struct ListedRow {
        did: Text<Did>,
        ..status,
        path: Option<Text<RepoPath>>,
        cid: Option<Digest>,
        body: Option<Vec<u8>>,
    }
}

/// The record at a path, unless it was taken down. `None`: no account has this identifier. A suspension that is over at `now`, in microseconds, does
/// not count.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &Db, repo: &AtIdentifier, path: &RepoPath, now: i64) -> Result<Option<OfRepo<Option<Record>>>> {
    let sql = FIND.of(repo);
    let row: Option<FoundRow> =
        on!(db, conn => sqlx::query_as(sql).bind(repo.as_str()).bind(path.as_str()).fetch_optional(conn))
            .map_err(Error::during("read record", format_args!("{path} of {repo}")))?;
    Ok(row.map(|row| {
        let status = row.causes().at(now).status();
        let record = |(cid, body): (Digest, Vec<u8>)| Record { path: path.clone(), cid: cid.0, body: body.into() };
        OfRepo { did: row.did.0, status, found: row.cid.zip(row.body).map(record) }
    }))
}

impl ListedRow {
    /// Whether the statement left the body out because of its length.
    fn is_long(&self) -> bool {
        self.path.is_some() && self.body.is_none()
    }
}

/// A page of a collection, without what was taken down: up to its limit, or as many as make [`PAGE_BYTES`]. `None`: no account has this identifier.
/// A suspension that is over at `now`, in microseconds, does not count.
///
/// # Errors
/// When the database cannot be read.
pub async fn list(
    db: &Db,
    repo: &AtIdentifier,
    collection: &Nsid,
    page: Page<'_>,
    now: i64,
) -> Result<Option<OfRepo<Vec<Record>>>> {
    let (mut above, mut below) = bounds(collection);
    if let Some(cursor) = page.cursor {
        let end = if page.ascending { &mut above } else { &mut below };
        *end = format!("{collection}/{cursor}");
    }
    let limit = i64::from(page.limit);
    match &db.pools {
        Pools::Sqlite { bulk, .. } => {
            let account = ACCOUNT_SQLITE.of(repo);
            let page = if page.ascending { ASCENDING_SQLITE } else { DESCENDING_SQLITE };
            let repo = repo.as_str().to_owned();
            bulk.run(here!(), move |conn| {
                let mut account = conn.prepare_cached(account)?;
                let Some(account) = account.query_row([repo], |row| AccountRow::try_from(row)).optional()? else {
                    return Ok(None);
                };
                let mut page = conn.prepare_cached(page)?;
                let mut rows = page.query(params![account.id, above, below, limit])?;
                let (mut found, mut bytes) = (vec![], 0);
                while bytes < PAGE_BYTES
                    && let Some(row) = rows.next()?
                {
                    let row = RecordRow::try_from(row)?;
                    bytes += row.body.len();
                    found.push(Record::from(row));
                }
                let status = account.causes().at(now).status();
                Ok(Some(OfRepo { did: account.did.0, status, found }))
            })
            .await
        }
        Pools::Postgres(pool) => match db.bulk.turn().await {
            Ok(_turn) => {
                let (short, long) = if page.ascending {
                    (SHORT_ASCENDING_POSTGRES.of(repo), LONG_ASCENDING_POSTGRES.of(repo))
                } else {
                    (SHORT_DESCENDING_POSTGRES.of(repo), LONG_DESCENDING_POSTGRES.of(repo))
                };
                let read = async |sql, bytes: i64| -> sqlx::Result<Vec<ListedRow>> {
                    let rows = sqlx::query_as(sql).bind(repo.as_str()).bind(&*above).bind(&*below).bind(limit);
                    let rows = rows.bind(bytes);
                    let mut held = pool.acquire().await?;
                    pool.meter().run(here!(), rows.fetch_all(&mut *held)).await
                };
                in_time(async {
                    let rows = read(short, PAGE_BYTES as i64 / limit.max(1)).await?;
                    if rows.iter().any(ListedRow::is_long) { read(long, PAGE_BYTES as i64).await } else { Ok(rows) }
                })
                .await
                .map(|rows| of_rows(rows, now))
            }
            Err(error) => Err(error),
        },
    }
    .map_err(Error::during("list records", format_args!("{collection} of {repo}")))
}

/// An account without records on the page has one row, of the account alone.
fn of_rows(rows: Vec<ListedRow>, now: i64) -> Option<OfRepo<Vec<Record>>> {
    let mut of = None;
    for row in rows {
        let status = row.causes().at(now).status();
        let of = of.get_or_insert_with(|| OfRepo { did: row.did.0, status, found: vec![] });
        if let (Some(path), Some(cid), Some(body)) = (row.path, row.cid, row.body) {
            of.found.push(Record { path: path.0, cid: cid.0, body: body.into() });
        }
    }
    of
}
