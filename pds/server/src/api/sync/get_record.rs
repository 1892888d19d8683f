use axum::{extract::State, response::Response};
use bytes::Bytes;
use pds_repo::{Cid, car as format};
use pds_syntax::{Did, Nsid, RecordKey, RepoPath};
use serde::Deserialize;

use crate::api::car;
use crate::{
    actor::View,
    api::synced,
    app::App,
    auth::Viewer,
    rate_limit::Client,
    xrpc::{Query, Result, XrpcError},
};

/// Parameters of `com.atproto.sync.getRecord`.
#[derive(Debug, Deserialize)]
pub struct GetRecordParams {
    did: Did,
    collection: Nsid,
    rkey: RecordKey,
}

/// `com.atproto.sync.getRecord`
///
/// The signed proof that the record is in the repository, or that it is not.
pub async fn get_record(
    State(app): State<App>,
    viewer: Viewer,
    client: Client,
    Query(params): Query<GetRecordParams>,
) -> Result<Response> {
    let account = synced(&app, &params.did, &viewer).await?;
    let path = RepoPath::new(&params.collection, &params.rkey);
    let View { mut snapshot, root, tree } = app.actors.view(account.id, &params.did, &client.subject).await?;
    let found = snapshot.record(account.id, &path).await?;
    let nodes = tree.proof(path.as_str(), false).map_err(|error| XrpcError::internal("proving a record", &error))?;
    let mut blocks: Vec<(Cid, Bytes)> = vec![(root.head.commit, root.commit_bytes)];
    blocks.extend(nodes);
    blocks.extend(found.map(|record| (record.cid, record.body)));
    Ok(car::answer(format::write(&root.head.commit, blocks.iter().map(|(cid, block)| (cid, block)))))
}
