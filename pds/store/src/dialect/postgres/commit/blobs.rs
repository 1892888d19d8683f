//! The blob references of a batch.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::{
    blob::State,
    column::{FullCid, full_bytes},
    commit::{BlobRefusal, Net, RefusedBlob},
};

pub(crate) const LOCK: &str = "select blob.repo_id, blob.cid, blob.state \
     from blob join (select distinct * from unnest($1::bigint[], $2::bytea[]) as t(repo_id, cid)) wanted \
       on blob.repo_id = wanted.repo_id and blob.cid = wanted.cid \
     order by blob.repo_id, blob.cid for no key update of blob";
pub(crate) const REFER: &str = "with promoted as ( \
       update blob set state = 1 from unnest($1::bigint[], $2::bytea[]) as t(repo_id, cid) \
       where blob.repo_id = t.repo_id and blob.cid = t.cid and blob.state = 0 \
     ) \
     insert into record_blob (repo_id, blob_cid, path) \
     select * from unnest($1::bigint[], $2::bytea[], $3::text[]) on conflict do nothing";

/// Adds the references of all stored records, makes their blobs permanent, and says which of them cannot be had.
///
/// The blob rows are locked first, so the sweeper either was there before (and the blob is not found) or finds it
/// permanent.
pub(super) async fn refer(conn: &mut PgConnection, nets: &[Net<'_>]) -> sqlx::Result<Vec<RefusedBlob>> {
    let wanted: BTreeSet<_> = nets
        .iter()
        .flat_map(|net| net.puts().map(|(write, put)| (net.account_id(), write.path, put)))
        .flat_map(|(id, path, put)| put.blobs.iter().map(move |cid| (id, *cid, path)))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = wanted.iter().map(|(id, ..)| id.0).collect();
    let cids: Vec<Vec<u8>> = wanted.iter().map(|(_, cid, _)| full_bytes(cid)).collect();
    let paths: Vec<&str> = wanted.iter().map(|(.., path)| path.as_str()).collect();

    let found: Vec<(i64, FullCid, i16)> = sqlx::query_as(LOCK).bind(&ids).bind(&cids).fetch_all(&mut *conn).await?;
    let found: BTreeMap<_, _> =
        found.into_iter().map(|(id, cid, state)| ((id, cid.0), State::from_column(state))).collect();
    let mut refused: Vec<_> = wanted
        .iter()
        .filter_map(|(id, cid, _)| {
            let reason = match found.get(&(id.0, *cid)) {
                None => BlobRefusal::NotFound,
                Some(State::TakenDown) => BlobRefusal::TakenDown,
                Some(State::Temporary | State::Permanent) => return None,
            };
            Some(RefusedBlob { account_id: *id, cid: *cid, reason })
        })
        .collect();
    refused.dedup();
    sqlx::query(REFER).bind(&ids).bind(&cids).bind(&paths).execute(conn).await?;
    Ok(refused)
}

pub(crate) const DEMOTE: &str = "update blob set state = 0, temporary_since = $3 \
     from unnest($1::bigint[], $2::bytea[]) as t(repo_id, cid) \
     where blob.repo_id = t.repo_id and blob.cid = t.cid and blob.state = 1 and not exists ( \
       select 1 from record_blob l where l.repo_id = blob.repo_id and l.blob_cid = blob.cid)";

/// Makes those blobs temporary that nothing refers to any more.
pub(super) async fn demote(conn: &mut PgConnection, released: &[(i64, Vec<u8>)], at: i64) -> sqlx::Result<()> {
    if released.is_empty() {
        return Ok(());
    }
    sqlx::query(DEMOTE)
        .bind(released.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(released.iter().map(|(_, cid)| &**cid).collect::<Vec<_>>())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}
