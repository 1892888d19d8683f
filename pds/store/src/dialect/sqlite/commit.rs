//! The commit transaction on SQLite: few rows per statement, all of them prepared once.
//!
//! Everything that must hold between the statements holds because `BEGIN IMMEDIATE` makes this the only writer.

use std::sync::LazyLock;

use pds_syntax::RepoPath;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{
    Error,
    blob::State,
    column::{Digest, FullCid},
    commit::{BlobRefusal, CommitError, Events, Net, PathChange, Put, RefusedBlob},
    meter::here,
    pools::Pool,
};

/// Stores a batch and returns the number of its first event.
pub(crate) async fn batch(pool: &Pool<Sqlite>, nets: &[Net<'_>], events: &Events) -> Result<i64, CommitError> {
    let tx = pool.begin().await.map_err(Error::during("begin", "commit batch"))?;
    pool.meter().run(here!(), step_by_step(tx, nets, events)).await
}

async fn step_by_step(
    mut tx: Transaction<'static, Sqlite>,
    nets: &[Net<'_>],
    events: &Events,
) -> Result<i64, CommitError> {
    let mut stale = Vec::new();
    for net in nets {
        if !swap(&mut tx, net).await? {
            stale.push(net.account_id());
        }
    }
    if !stale.is_empty() {
        return Err(CommitError::Stale { accounts: stale });
    }
    let mut refused = Vec::new();
    for net in nets {
        write(&mut tx, net, events.at, &mut refused).await?;
    }
    if !refused.is_empty() {
        return Err(CommitError::Blobs { refused });
    }
    let first_seq = append(&mut tx, events).await.map_err(Error::during("append", "events"))?;
    tx.commit().await.map_err(Error::during("commit", "commit batch"))?;
    Ok(first_seq)
}

/// Moves the head; false if it is not where the commit expects it, or the repository takes no commits, or the account grows beyond its quota.
async fn swap(conn: &mut SqliteConnection, net: &Net<'_>) -> Result<bool, Error> {
    const SQL: &str = "update repo set rev = $3, commit_cid = $4, data_cid = $5, commit_bytes = $6, \
                       record_count = record_count + $7, record_bytes = record_bytes + $8, \
                       bytes_rev = case when bytes_rev = $2 then $3 end \
                       where account_id = $1 and rev = $2 and closed = 0 and import_token is null \
                       and ($9 is null or bytes_rev = $2 and record_bytes + $8 \
                         + coalesce((select u.bytes from blob_usage u where u.account_id = $1), 0) <= $9)";
    let last = net.last;
    let grown = net.put_bytes().saturating_sub(replaced_bytes(conn, net).await?);
    let done = sqlx::query(SQL)
        .bind(last.account_id.0)
        .bind(net.expect_rev.to_string())
        .bind(last.rev.to_string())
        .bind(Digest(last.commit))
        .bind(Digest(last.data))
        .bind(&*last.commit_bytes)
        .bind(net.added())
        .bind(grown)
        .bind(net.quota().filter(|_| grown > 0))
        .execute(conn)
        .await
        .map_err(Error::during("swap head of account", last.account_id))?;
    Ok(done.rows_affected() == 1)
}

pub(crate) const REPLACED: &str = "select coalesce(sum(length(body)), 0) from record \
                                   where repo_id = $1 and path in (select value from json_each($2))";

/// Bytes of the records that are deleted or replaced.
async fn replaced_bytes(conn: &mut SqliteConnection, net: &Net<'_>) -> Result<i64, Error> {
    let paths: Vec<&str> = net.replaced().map(RepoPath::as_str).collect();
    if paths.is_empty() {
        return Ok(0);
    }
    let id = net.account_id();
    // No path has a character that JSON would escape.
    let paths = format!("[\"{}\"]", paths.join("\",\""));
    let (bytes,): (i64,) = sqlx::query_as(REPLACED)
        .bind(id.0)
        .bind(paths)
        .fetch_one(conn)
        .await
        .map_err(Error::during("measure records of account", id))?;
    Ok(bytes)
}

/// Writes the records and their references to blobs, adding those that cannot be had to `refused`: the caller decides.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    net: &Net<'_>,
    at: i64,
    refused: &mut Vec<RefusedBlob>,
) -> Result<(), Error> {
    let id = net.account_id();
    let mut released = Vec::new();
    for path in net.replaced() {
        released.extend(release(conn, id.0, path.as_str()).await.map_err(Error::during("release blobs of", path))?);
    }
    for path in net.deleted() {
        sqlx::query("delete from record where repo_id = $1 and path = $2")
            .bind(id.0)
            .bind(path.as_str())
            .execute(&mut *conn)
            .await
            .map_err(Error::during("delete record", path))?;
    }
    let puts: Vec<_> = net.puts().collect();
    for some in puts.chunks(ROWS) {
        let (sql, rows) = if some.len() == ROWS { (STORE_MANY.as_str(), ROWS) } else { (STORE, 1) };
        for few in some.chunks(rows) {
            store(conn, sql, id.0, few).await.map_err(Error::during("store records of account", id))?;
        }
    }
    for (write, put) in puts {
        for cid in &put.blobs {
            let refusal = refer(conn, id.0, write, cid).await.map_err(Error::during("refer to blob", cid))?;
            refused.extend(refusal.map(|reason| RefusedBlob { account_id: id, cid: *cid, reason }));
        }
    }
    for cid in released {
        demote(conn, id.0, cid, at).await.map_err(Error::during("demote blob of account", id))?;
    }
    Ok(())
}

/// Rows of one statement when there are many: the driver's way to its thread and back costs more than a row does.
const ROWS: usize = 50;
const STORE: &str = "insert into record (repo_id, path, cid, rev, subject_hash, body) values ($1, $2, $3, $4, $5, $6) \
                     on conflict (repo_id, path) do update set cid = excluded.cid, rev = excluded.rev, \
                     subject_hash = excluded.subject_hash, body = excluded.body";
static STORE_MANY: LazyLock<String> = LazyLock::new(|| {
    let more = |row: usize| (1..=6).map(|column| format!("${}", row * 6 + column)).collect::<Vec<_>>().join(", ");
    let rows: Vec<_> = (0..ROWS).map(|row| format!("({})", more(row))).collect();
    STORE.replacen("($1, $2, $3, $4, $5, $6)", &rows.join(", "), 1)
});

/// With [`STORE`] one record, with [`STORE_MANY`] as many as it has rows.
async fn store(
    conn: &mut SqliteConnection,
    sql: &'static str,
    repo: i64,
    records: &[(&PathChange<'_>, &Put)],
) -> sqlx::Result<()> {
    let mut query = sqlx::query(sql);
    for (write, put) in records {
        query = query
            .bind(repo)
            .bind(write.path.as_str())
            .bind(Digest(put.cid))
            .bind(write.rev.to_string())
            .bind(put.subject_hash)
            .bind(&*put.body);
    }
    query.execute(conn).await?;
    Ok(())
}

/// Removes a path's references and returns the blobs that it referred to.
async fn release(conn: &mut SqliteConnection, repo: i64, path: &str) -> sqlx::Result<Vec<FullCid>> {
    const SQL: &str = "delete from record_blob where repo_id = $1 and path = $2 returning blob_cid";
    let rows: Vec<(FullCid,)> = sqlx::query_as(SQL).bind(repo).bind(path).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(cid,)| cid).collect())
}

/// Adds a reference and makes the blob permanent, or says why it cannot be had.
async fn refer(
    conn: &mut SqliteConnection,
    repo: i64,
    write: &PathChange<'_>,
    cid: &pds_repo::Cid,
) -> sqlx::Result<Option<BlobRefusal>> {
    const PROMOTE: &str = "update blob set state = 1 where repo_id = $1 and cid = $2 and state = 0";
    const STATE: &str = "select state from blob where repo_id = $1 and cid = $2";
    const INSERT: &str = "insert into record_blob (repo_id, blob_cid, path) values ($1, $2, $3) on conflict do nothing";
    let state: Option<(i16,)> = sqlx::query_as(STATE).bind(repo).bind(FullCid(*cid)).fetch_optional(&mut *conn).await?;
    let refusal = match state.map(|(state,)| State::from_column(state)) {
        None => Some(BlobRefusal::NotFound),
        Some(State::TakenDown) => Some(BlobRefusal::TakenDown),
        Some(State::Permanent) => None,
        Some(State::Temporary) => {
            sqlx::query(PROMOTE).bind(repo).bind(FullCid(*cid)).execute(&mut *conn).await?;
            None
        }
    };
    sqlx::query(INSERT).bind(repo).bind(FullCid(*cid)).bind(write.path.as_str()).execute(conn).await?;
    Ok(refusal)
}

/// Makes a blob temporary if nothing refers to it any more.
async fn demote(conn: &mut SqliteConnection, repo: i64, cid: FullCid, at: i64) -> sqlx::Result<()> {
    const SQL: &str = "update blob set state = 0, temporary_since = $3 where repo_id = $1 and cid = $2 and state = 1 \
                       and not exists (select 1 from record_blob where repo_id = $1 and blob_cid = $2)";
    sqlx::query(SQL).bind(repo).bind(cid).bind(at).execute(conn).await?;
    Ok(())
}

async fn append(conn: &mut SqliteConnection, events: &Events) -> sqlx::Result<i64> {
    const RANGE: &str = "update seq_state set next = next + $1 where id = 1 returning next - $1";
    const INSERT: &str = "insert into event (first_seq, n, at, payload) values ($1, $2, $3, $4)";
    let (first_seq,): (i64,) = sqlx::query_as(RANGE).bind(i64::from(events.n)).fetch_one(&mut *conn).await?;
    for row in &events.rows {
        let insert = sqlx::query(INSERT).bind(first_seq + row.before).bind(row.n).bind(events.at).bind(&*row.payload);
        insert.execute(&mut *conn).await?;
    }
    Ok(first_seq)
}
