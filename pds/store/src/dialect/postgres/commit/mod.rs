//! The commit transaction on Postgres, with few round trips: a single commit that only creates records (`lone`), a batch of them (`creates`),
//! or anything else, step by step ([ADR 21](../../../../../../docs/adr/0021-two-drivers-and-three-ways-to-commit.md)).
//!
//! Rows are locked in one order everywhere (repositories by account, then their blobs, the event counter last), so two
//! replicas' batches wait for each other but never deadlock.

pub(crate) mod blobs;
mod columns;
pub(crate) mod creates;
pub(crate) mod lone;

use sqlx::{PgConnection, Postgres, Transaction, postgres::PgArguments};

use super::{begin, in_time_on};
use crate::{
    AccountId, Error,
    commit::{CommitError, Events, Net, RefusedBlob},
    meter::here,
    pools::Pool,
};

/// Stores a batch and returns the number of its first event.
pub(crate) async fn batch(pool: &Pool<Postgres>, nets: &[Net<'_>], events: &Events) -> Result<i64, CommitError> {
    in_time_on(pool, store(pool, nets, events)).await.map_err(Error::during("store", "commit batch"))?
}

async fn store(pool: &Pool<Postgres>, nets: &[Net<'_>], events: &Events) -> Result<i64, CommitError> {
    if let [net] = nets
        && lone::applies(net)
    {
        return lone::commit(pool, net, events).await;
    }
    if creates::applies(nets)
        && let Some(first_seq) = creates::commit(pool, nets, events).await?
    {
        return Ok(first_seq);
    }
    // This says which of the heads have moved, too.
    let tx = begin(pool, None).await.map_err(Error::during("begin", "commit batch"))?;
    pool.meter().run(here!(), step_by_step(tx, nets, events)).await
}

async fn step_by_step(
    mut tx: Transaction<'static, Postgres>,
    nets: &[Net<'_>],
    events: &Events,
) -> Result<i64, CommitError> {
    let swapped = swap(&mut tx, nets).await.map_err(Error::during("swap heads of", "commit batch"))?;
    if swapped.len() != nets.len() {
        let accounts = nets.iter().map(Net::account_id).filter(|id| swapped.binary_search(id).is_err()).collect();
        return Err(CommitError::Stale { accounts });
    }
    let refused = write(&mut tx, nets, events.at).await?;
    if !refused.is_empty() {
        return Err(CommitError::Blobs { refused });
    }
    let first_seq = append(&mut tx, events).await.map_err(Error::during("append", "events"))?;
    tx.commit().await.map_err(Error::during("commit", "commit batch"))?;
    Ok(first_seq)
}

/// Writes the records and their references to blobs, and names those that cannot be had: the caller decides.
pub(crate) async fn write(conn: &mut PgConnection, nets: &[Net<'_>], at: i64) -> Result<Vec<RefusedBlob>, Error> {
    put_records(conn, nets).await.map_err(Error::during("store records of", "commit batch"))?;
    let released = remove(conn, nets).await.map_err(Error::during("delete records of", "commit batch"))?;
    let refused = blobs::refer(conn, nets).await.map_err(Error::during("refer to blobs of", "commit batch"))?;
    blobs::demote(conn, &released, at).await.map_err(Error::during("demote blobs of", "commit batch"))?;
    Ok(refused)
}

pub(crate) const SWAP: &str = "with replaced as ( \
       select t.repo_id as account_id, sum(length(record.body)) as bytes \
       from unnest($10::bigint[], $11::text[]) as t(repo_id, path) \
       join record on record.repo_id = t.repo_id and record.path = t.path group by t.repo_id \
     ), input as ( \
       select t.*, t.put_bytes - coalesce(replaced.bytes, 0) as grown \
       from unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], \
           $8::bigint[], $9::bigint[]) \
         as t(account_id, expect_rev, rev, commit_cid, data_cid, commit_bytes, added, put_bytes, quota) \
       left join replaced using (account_id) \
     ), locked as ( \
       select repo.account_id from repo join input using (account_id) where repo.rev = input.expect_rev and repo.closed = 0 and repo.import_token is null \
         and (input.quota is null or input.grown <= 0 or repo.bytes_rev = repo.rev and repo.record_bytes + input.grown \
           + coalesce((select u.bytes from blob_usage u where u.account_id = repo.account_id), 0) <= input.quota) \
       order by repo.account_id for no key update of repo \
     ) \
     update repo set rev = input.rev, commit_cid = input.commit_cid, data_cid = input.data_cid, \
       commit_bytes = input.commit_bytes, record_count = repo.record_count + input.added, \
       record_bytes = repo.record_bytes + input.grown, bytes_rev = case when repo.bytes_rev = repo.rev then input.rev end \
     from locked join input using (account_id) where repo.account_id = locked.account_id \
     returning repo.account_id";

/// Moves the heads that stand where their commit expects them, unless the account grows beyond its quota, and returns whose those are, sorted.
///
/// What the records of before take is read while the head is the one that the commit expects: another commit would have moved it.
/// `locked` takes the row locks in order of account; an UPDATE alone would take them in whatever order its join has.
async fn swap(conn: &mut PgConnection, nets: &[Net<'_>]) -> sqlx::Result<Vec<AccountId>> {
    let mut arguments = PgArguments::default();
    columns::heads(&mut arguments, nets).map_err(sqlx::Error::Encode)?;
    columns::growths(&mut arguments, nets).map_err(sqlx::Error::Encode)?;
    columns::replaced(&mut arguments, nets).map_err(sqlx::Error::Encode)?;
    let rows: Vec<(i64,)> = sqlx::query_as_with(SWAP, arguments).fetch_all(conn).await?;
    let mut swapped: Vec<AccountId> = rows.into_iter().map(|(id,)| AccountId(id)).collect();
    swapped.sort_unstable();
    Ok(swapped)
}

pub(crate) const PUT: &str = "insert into record (repo_id, path, cid, rev, subject_hash, body) \
     select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::bytea[]) \
     on conflict (repo_id, path) do update set cid = excluded.cid, rev = excluded.rev, \
       subject_hash = excluded.subject_hash, body = excluded.body";

async fn put_records(conn: &mut PgConnection, nets: &[Net<'_>]) -> sqlx::Result<()> {
    if nets.iter().all(|net| net.puts().next().is_none()) {
        return Ok(());
    }
    let mut arguments = PgArguments::default();
    columns::record_accounts(&mut arguments, nets).map_err(sqlx::Error::Encode)?;
    columns::records(&mut arguments, nets).map_err(sqlx::Error::Encode)?;
    sqlx::query_with(PUT, arguments).execute(conn).await?;
    Ok(())
}

pub(crate) const REMOVE: &str = "with gone as ( \
       delete from record using unnest($1::bigint[], $2::text[]) as t(repo_id, path) \
       where record.repo_id = t.repo_id and record.path = t.path \
     ) \
     delete from record_blob l using unnest($3::bigint[], $4::text[]) as t(repo_id, path) \
     where l.repo_id = t.repo_id and l.path = t.path returning l.repo_id, l.blob_cid";

/// Deletes records, and the blob references of all records that go or are replaced. Returns the blobs referred to.
async fn remove(conn: &mut PgConnection, nets: &[Net<'_>]) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    let replaced: Vec<_> = nets.iter().flat_map(|net| net.replaced().map(|path| (net.account_id().0, path))).collect();
    if replaced.is_empty() {
        return Ok(Vec::new());
    }
    let deleted: Vec<_> = nets.iter().flat_map(|net| net.deleted().map(|path| (net.account_id().0, path))).collect();
    sqlx::query_as(REMOVE)
        .bind(deleted.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(deleted.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>())
        .bind(replaced.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(replaced.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await
}

pub(crate) const APPEND: &str = "with range as ( \
       update seq_state set next = next + $1::integer where id = 1 returning next - $1::integer as first_seq \
     ) \
     insert into event (first_seq, n, at, payload) \
     select range.first_seq + t.before, t.n, $2, t.payload \
     from range, unnest($3::bigint[], $4::integer[], $5::bytea[]) as t(before, n, payload) returning first_seq";

/// Numbers and stores the events in one statement. From here to COMMIT every other writer of events waits.
async fn append(conn: &mut PgConnection, events: &Events) -> sqlx::Result<i64> {
    let mut arguments = PgArguments::default();
    columns::events(&mut arguments, events).map_err(sqlx::Error::Encode)?;
    let rows: Vec<(i64,)> = sqlx::query_as_with(APPEND, arguments).fetch_all(conn).await?;
    rows.into_iter().map(|(first_seq,)| first_seq).min().ok_or(sqlx::Error::RowNotFound)
}
