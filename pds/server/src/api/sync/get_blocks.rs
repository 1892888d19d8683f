use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{extract::State, response::Response};
use bytes::{Bytes, BytesMut};
use pds_repo::{
    Cid, car as format,
    mst::{Item, Tree},
};
use pds_syntax::{Did, RepoPath};
use serde::Deserialize;

use crate::api::car;
use crate::{
    actor::View,
    api::synced,
    app::App,
    auth::Viewer,
    task::run_blocking,
    xrpc::{Query, Result, XrpcError, list},
};

/// Blocks of one call.
const MAX: usize = 1_000;
/// Bytes of their records together.
const MAX_BYTES: usize = 4 << 20;

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
    let View { mut snapshot, root, tree } = app.actors.view(account.id, &params.did).await?;
    let mut wanted: HashSet<Cid> = params.cids.iter().copied().collect();
    let (mut found, mut bytes) = (HashMap::<Cid, Bytes>::new(), 0);
    if wanted.remove(&root.head.commit) {
        found.insert(root.head.commit, root.commit_bytes);
    }
    let (nodes, paths, wanted) = run_blocking(move || pick(&tree, wanted)).await;
    if !wanted.is_empty() {
        let missing: Vec<String> = wanted.iter().map(Cid::to_string).collect();
        return Err(XrpcError::named("BlockNotFound", format!("Could not find cids: {}", missing.join(","))));
    }
    found.extend(nodes);
    for key in paths {
        let path: RepoPath = key.parse().map_err(|error| XrpcError::internal("reading a tree's key", &error))?;
        if let Some(record) = snapshot.record(account.id, &path).await? {
            bytes += record.body.len();
            if bytes > MAX_BYTES {
                return Err(XrpcError::invalid(format!(
                    "Params/cids: the blocks have more than {MAX_BYTES} bytes together, ask for fewer at once"
                )));
            }
            found.insert(record.cid, record.body);
        }
    }
    drop(snapshot);
    // The protocol wants no root here, and every reader wants one: the commit.
    let mut out = BytesMut::from(format::header(&root.head.commit));
    for cid in &params.cids {
        if let Some(block) = found.get(cid) {
            format::append(&mut out, cid, block);
        }
    }
    Ok(car::answer(out.freeze()))
}

/// The nodes among the wanted blocks, the keys of the records among them, and what is neither.
fn pick(tree: &Tree, mut wanted: HashSet<Cid>) -> (HashMap<Cid, Bytes>, Vec<Arc<str>>, HashSet<Cid>) {
    let (mut nodes, mut paths) = (HashMap::new(), Vec::new());
    for item in tree.preorder() {
        if wanted.is_empty() {
            break;
        }
        match item {
            Item::Node(cid, block) if wanted.remove(&cid) => {
                nodes.insert(cid, block);
            }
            Item::Record(key, cid) if wanted.remove(&cid) => paths.push(key),
            _ => {}
        }
    }
    (nodes, paths, wanted)
}
