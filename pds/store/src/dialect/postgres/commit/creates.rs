//! A batch that only creates records without blobs, which is what most batches are: one statement, one round trip.

use sqlx::{Postgres, error::BoxDynError, postgres::PgArguments};

use super::{columns, lone};
use crate::{
    Error,
    commit::{Events, Net},
    meter::here,
    pools::Pool,
};

/// Whether the statement can express the batch.
pub(super) fn applies(nets: &[Net<'_>]) -> bool {
    nets.iter().all(lone::applies)
}

/// Each step asks whether the one before did all it should, which fixes their order: rows locked in order of account, heads, records,
/// counter, event. If a single head has moved nothing at all is written. (Neither none nor all cannot happen, the
/// rows being locked; if it did, the last cast would fail and undo the statement.)
pub(crate) const SQL: &str = "with input as ( \
       select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], \
           $19::bigint[], $20::bigint[]) \
         as t(account_id, expect_rev, rev, commit_cid, data_cid, commit_bytes, added, grown, quota) \
     ), locked as ( \
       select repo.account_id from repo join input using (account_id) where repo.rev = input.expect_rev and repo.closed = 0 and repo.import_token is null \
         and (input.quota is null or repo.bytes_rev = repo.rev and repo.record_bytes + input.grown \
           + coalesce((select u.bytes from blob_usage u where u.account_id = repo.account_id), 0) <= input.quota) \
       order by repo.account_id for no key update of repo \
     ), moved as ( \
       update repo set rev = input.rev, commit_cid = input.commit_cid, data_cid = input.data_cid, \
         commit_bytes = input.commit_bytes, record_count = repo.record_count + input.added, \
         record_bytes = repo.record_bytes + input.grown, bytes_rev = case when repo.bytes_rev = repo.rev then input.rev end \
       from locked join input using (account_id) \
       where repo.account_id = locked.account_id and (select count(*) from locked) = cardinality($1::bigint[]) \
       returning repo.account_id \
     ), put as ( \
       insert into record (repo_id, path, cid, rev, subject_hash, body) \
       select * from unnest($8::bigint[], $9::text[], $10::bytea[], $11::text[], $12::bigint[], $13::bytea[]) \
         as t(repo_id, path, cid, rev, subject_hash, body) \
       where case (select count(*) from moved) when cardinality($1::bigint[]) then true when 0 then false \
         else ((select count(*) from moved) || ' heads moved')::boolean end \
       returning 1 \
     ), range as ( \
       update seq_state set next = next + $14::integer \
       where id = 1 and (select count(*) from put) = cardinality($8::bigint[]) \
       returning next - $14::integer as first_seq \
     ) \
     insert into event (first_seq, n, at, payload) \
     select range.first_seq + t.before, t.n, $15, t.payload \
     from range, unnest($16::bigint[], $17::integer[], $18::bytea[]) as t(before, n, payload) returning first_seq";

/// Stores the batch and returns the number of its first event; `None`, and nothing stored, if a head has moved.
pub(super) async fn commit(pool: &Pool<Postgres>, nets: &[Net<'_>], events: &Events) -> crate::Result<Option<i64>> {
    let failed = || Error::during("store", "commit batch");
    let arguments = arguments(nets, events).map_err(sqlx::Error::Encode).map_err(failed())?;
    // fetch_all reads to the end of the implicit transaction: anything less would return before the commit is durable.
    let stored = async {
        let mut held = pool.acquire().await?;
        pool.meter().run(here!(), sqlx::query_as_with(SQL, arguments).fetch_all(&mut *held)).await
    };
    let rows: Vec<(i64,)> = stored.await.map_err(failed())?;
    Ok(rows.into_iter().map(|(first_seq,)| first_seq).min())
}

fn arguments(nets: &[Net<'_>], events: &Events) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    columns::heads(&mut arguments, nets)?;
    columns::record_accounts(&mut arguments, nets)?;
    columns::records(&mut arguments, nets)?;
    columns::events(&mut arguments, events)?;
    columns::growths(&mut arguments, nets)?;
    Ok(arguments)
}
