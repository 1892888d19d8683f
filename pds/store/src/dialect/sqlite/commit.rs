//! The commit transaction on SQLite: few rows per statement, all of them prepared once.
//!
//! Everything that must hold between the statements holds because `BEGIN IMMEDIATE` makes this the only writer.

use std::{collections::BTreeSet, sync::LazyLock};

use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::references;
use crate::{
    Error,
    column::Digest,
    commit::{CommitError, Events, Net, PathChange, Put, RefusedBlob},
    list,
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
    if net.replaced().next().is_none() {
        return Ok(0);
    }
    let id = net.account_id();
    let (bytes,): (i64,) = sqlx::query_as(REPLACED)
        .bind(id.0)
        .bind(list::paths(net.replaced()))
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
    let mut released = BTreeSet::new();
    if net.replaced().next().is_some() {
        released = references::release(conn, id.0, net.replaced())
            .await
            .map_err(Error::during("release blobs of account", id))?;
    }
    if net.deleted().next().is_some() {
        sqlx::query(DELETE)
            .bind(id.0)
            .bind(list::paths(net.deleted()))
            .execute(&mut *conn)
            .await
            .map_err(Error::during("delete records of account", id))?;
    }
    let puts: Vec<_> = net.puts().collect();
    for some in puts.chunks(ROWS) {
        let (sql, rows) = if some.len() == ROWS { (STORE_MANY.as_str(), ROWS) } else { (STORE, 1) };
        for few in some.chunks(rows) {
            store(conn, sql, id.0, few).await.map_err(Error::during("store records of account", id))?;
        }
    }
    refused.extend(references::refer(conn, net).await.map_err(Error::during("refer to blobs of account", id))?);
    references::demote(conn, id.0, &released, at).await.map_err(Error::during("demote blobs of account", id))?;
    Ok(())
}

pub(crate) const DELETE: &str = "delete from record where repo_id = $1 and path in (select value from json_each($2))";

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
