use std::collections::{HashMap, HashSet};

use axum::{extract::State, response::Response};
use bytes::{Bytes, BytesMut};
use pds_repo::{Cid, car as format, mst::Item};
use pds_syntax::{Did, RepoPath};
use serde::Deserialize;

use super::car;
use crate::{
    actor,
    api::synced,
    app::App,
    auth::Viewer,
    xrpc::{Query, Result, XrpcError, list},
};

/// Blocks of one call.
const MAX: usize = 1_000;

/// Parameters of `com.atproto.sync.getBlocks`.
#[derive(Debug, Deserialize)]
pub struct GetBlocksParams {
    did: Did,
    #[serde(deserialize_with = "list")]
    cids: Vec<Cid>,
}

/// `com.atproto.sync.getBlocks`
///
/// Blocks of the current repository: its commit, tree nodes, records.
pub async fn get_blocks(
    State(app): State<App>,
    viewer: Viewer,
    Query(params): Query<GetBlocksParams>,
) -> Result<Response> {
    let account = synced(&app, &params.did, &viewer).await?;
    if params.cids.len() > MAX {
        return Err(XrpcError::invalid(format!("Params/cids: at most {MAX}")));
    }
    let mut snapshot = app.db.snapshot().await?;
    let root = snapshot.root(account.id).await?;
    let root =
        root.ok_or_else(|| XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {}", params.did)))?;
    let mut wanted: HashSet<Cid> = params.cids.iter().copied().collect();
    let (mut found, mut paths) = (HashMap::<Cid, Bytes>::new(), Vec::new());
    if wanted.remove(&root.head.commit) {
        found.insert(root.head.commit, root.commit_bytes);
    }
    if !wanted.is_empty() {
        let tree = actor::tree(&app, &mut snapshot, account.id, &params.did, &root.head).await?;
        for item in tree.preorder() {
            match item {
                Item::Node(cid, block) if wanted.remove(&cid) => {
                    found.insert(cid, block);
                }
                Item::Record(key, cid) if wanted.remove(&cid) => paths.push(key),
                _ => {}
            }
            if wanted.is_empty() {
                break;
            }
        }
    }
    if !wanted.is_empty() {
        let missing: Vec<String> = wanted.iter().map(Cid::to_string).collect();
        return Err(XrpcError::named("BlockNotFound", format!("Could not find cids: {}", missing.join(","))));
    }
    for key in paths {
        let path: RepoPath = key.parse().map_err(|error| XrpcError::internal("reading a tree's key", &error))?;
        if let Some(record) = snapshot.record(account.id, &path).await? {
            found.insert(record.cid, record.body);
        }
    }
    // The protocol wants no root here, and every reader wants one: the commit.
    let mut out = BytesMut::from(format::header(&root.head.commit));
    for cid in &params.cids {
        if let Some(block) = found.get(cid) {
            format::append(&mut out, cid, block);
        }
    }
    Ok(car::answer(out.freeze()))
}
