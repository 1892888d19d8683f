//! The blob references of a commit, in sets: one statement for all of them, whatever their number. Others wait for the writer.

use std::collections::{BTreeMap, BTreeSet};

use pds_repo::Cid;
use pds_syntax::RepoPath;
use sqlx::SqliteConnection;

use crate::{
    blob::State,
    column::FullCid,
    commit::{BlobRefusal, Net, RefusedBlob},
    list,
};

pub(crate) const RELEASE: &str = "delete from record_blob where repo_id = $1 and path in (select value from json_each($2)) \
                                  returning blob_cid";
pub(crate) const STATE: &str =
    "select cid, state from blob where repo_id = $1 and cid in (select unhex(value) from json_each($2))";
pub(crate) const PROMOTE: &str = "update blob set state = 1 where repo_id = $1 and state = 0 \
                                  and cid in (select unhex(value) from json_each($2))";
// `where true` is no condition: without it SQLite takes `on` for that of a join.
const INSERT: &str = "insert into record_blob (repo_id, blob_cid, path) \
                      select $1, unhex(substr(value, 1, $3)), substr(value, $3 + 1) from json_each($2) where true \
                      on conflict do nothing";
pub(crate) const DEMOTE: &str = "update blob set state = 0, temporary_since = $3 where repo_id = $1 and state = 1 \
                                 and cid in (select unhex(value) from json_each($2)) \
                                 and not exists (select 1 from record_blob l where l.repo_id = $1 and l.blob_cid = blob.cid)";

/// Removes the references of records and returns the blobs that they referred to.
pub(super) async fn release<'a>(
    conn: &mut SqliteConnection,
    repo: i64,
    paths: impl Iterator<Item = &'a RepoPath>,
) -> sqlx::Result<BTreeSet<Cid>> {
    let rows: Vec<(FullCid,)> = sqlx::query_as(RELEASE).bind(repo).bind(list::paths(paths)).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(FullCid(cid),)| cid).collect())
}

/// Adds the references of all stored records, makes their blobs permanent, and says which of them cannot be had.
pub(super) async fn refer(conn: &mut SqliteConnection, net: &Net<'_>) -> sqlx::Result<Vec<RefusedBlob>> {
    let (id, repo) = (net.account_id(), net.account_id().0);
    let references = || net.puts().flat_map(|(write, put)| put.blobs.iter().map(move |cid| (cid, write.path)));
    let wanted: BTreeSet<&Cid> = references().map(|(cid, _)| cid).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let cids = list::cids(wanted);
    let found: Vec<(FullCid, i16)> = sqlx::query_as(STATE).bind(repo).bind(&*cids).fetch_all(&mut *conn).await?;
    let found: BTreeMap<Cid, State> =
        found.into_iter().map(|(cid, state)| (cid.0, State::from_column(state))).collect();
    if found.values().any(|state| *state == State::Temporary) {
        sqlx::query(PROMOTE).bind(repo).bind(&*cids).execute(&mut *conn).await?;
    }
    let digits = i64::try_from(list::CID_DIGITS).expect("a small number");
    sqlx::query(INSERT).bind(repo).bind(list::references(references())).bind(digits).execute(conn).await?;
    let refused = references().filter_map(|(cid, _)| {
        let reason = match found.get(cid) {
            None => BlobRefusal::NotFound,
            Some(State::TakenDown) => BlobRefusal::TakenDown,
            Some(State::Temporary | State::Permanent) => return None,
        };
        Some(RefusedBlob { account_id: id, cid: *cid, reason })
    });
    Ok(refused.collect())
}

/// Makes those blobs temporary that nothing refers to any more.
pub(super) async fn demote(
    conn: &mut SqliteConnection,
    repo: i64,
    released: &BTreeSet<Cid>,
    at: i64,
) -> sqlx::Result<()> {
    if !released.is_empty() {
        sqlx::query(DEMOTE).bind(repo).bind(list::cids(released)).bind(at).execute(conn).await?;
    }
    Ok(())
}
