//! A single commit that only creates records without blobs, which is what most commits are: one statement, one round trip.
//!
//! `creates` with one repository would do the same, for more work of the database
//! ([ADR 21](../../../../../../docs/adr/0021-two-drivers-and-three-ways-to-commit.md)).

use sqlx::{Postgres, error::BoxDynError, postgres::PgArguments};

use super::columns;
use crate::{
    Error,
    commit::{CommitError, Events, Net, NetChange},
    meter::here,
    pools::Pool,
};

/// Whether the statement can express the commit: it creates records, and does nothing else.
pub(super) fn applies(net: &Net<'_>) -> bool {
    let creates = |change: &NetChange<'_>| matches!(change, NetChange::Create(put) if put.blobs.is_empty());
    !net.writes.is_empty() && net.writes.iter().all(|write| creates(&write.change))
}

/// Each step asks for the result of the one before, which fixes their order: head, records, counter, event. If the head
/// has moved, or the account has a quota that does not suffice, nothing at all is written.
pub(crate) const SQL: &str = "with moved as ( \
       update repo set rev = $3, commit_cid = $4, data_cid = $5, commit_bytes = $6, record_count = record_count + $7, \
         record_bytes = record_bytes + $18, bytes_rev = case when bytes_rev = $2 then $3 end \
       where account_id = $1 and rev = $2 and closed = 0 and import_token is null \
         and ($19::bigint is null or bytes_rev = $2 and record_bytes + $18 \
           + coalesce((select u.bytes from blob_usage u where u.account_id = $1), 0) <= $19) \
       returning account_id \
     ), put as ( \
       insert into record (repo_id, path, cid, rev, subject_hash, body) \
       select moved.account_id, t.path, t.cid, t.rev, t.subject_hash, t.body \
       from moved, unnest($8::text[], $9::bytea[], $10::text[], $11::bigint[], $12::bytea[]) \
         as t(path, cid, rev, subject_hash, body) \
       returning 1 \
     ), range as ( \
       update seq_state set next = next + $13::integer where id = 1 and (select count(*) from put) = $7 \
       returning next - $13::integer as first_seq \
     ) \
     insert into event (first_seq, n, at, payload) \
     select range.first_seq + t.before, t.n, $14, t.payload \
     from range, unnest($15::bigint[], $16::integer[], $17::bytea[]) as t(before, n, payload) returning first_seq";

/// Stores the commit and returns the number of its first event.
pub(super) async fn commit(pool: &Pool<Postgres>, net: &Net<'_>, events: &Events) -> Result<i64, CommitError> {
    let id = net.account_id();
    let failed = || Error::during("commit to repository of account", id);
    let arguments = arguments(net, events).map_err(sqlx::Error::Encode).map_err(failed())?;
    // fetch_all reads to the end of the implicit transaction. Anything that stops at the first row would return before
    // the commit is durable, and would miss its failure.
    let stored = async {
        let mut held = pool.acquire().await?;
        pool.meter().run(here!(), sqlx::query_as_with(SQL, arguments).fetch_all(&mut *held)).await
    };
    let rows: Vec<(i64,)> = stored.await.map_err(failed())?;
    let first_seq = rows.into_iter().map(|(first_seq,)| first_seq).min();
    first_seq.ok_or_else(|| CommitError::Stale { accounts: vec![id] })
}

fn arguments(net: &Net<'_>, events: &Events) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    columns::head(&mut arguments, net)?;
    columns::records(&mut arguments, std::slice::from_ref(net))?;
    columns::events(&mut arguments, events)?;
    columns::growth(&mut arguments, net)?;
    Ok(arguments)
}
