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
use pds_store::record;
use pds_syntax::{Did, RepoPath};
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

/// Blocks of one call.
const MAX: usize = 1_000;
/// Bytes of their records together.
const MAX_BYTES: usize = 4 << 20;

/// Parameters of `com.atproto.sync.getBlocks`.
#[derive(Debug, Deserialize)]
pub struct GetBlocksParams {
    did: Did,
    cids: Vec<Cid>,
}

/// `com.atproto.sync.getBlocks`
///
/// Blocks of the current repository: its commit, tree nodes, records.
pub async fn get_blocks(
    State(app): State<App>,
    viewer: Viewer,
    client: Client,
    Query(params): Query<GetBlocksParams>,
) -> Result<Response> {
    let account = synced(&app, &params.did, &viewer).await?;
    if params.cids.len() > MAX {
        return Err(XrpcError::invalid(format!("Params/cids: at most {MAX}")));
    }
    // The connection is given back: a search may have to wait for its turn.
    let View { snapshot: _, root, tree } = app.actors.view(account.id, &params.did, &client.subject).await?;
    let mut wanted: HashSet<Cid> = params.cids.iter().copied().collect();
    let (mut found, mut bytes) = (HashMap::<Cid, Bytes>::new(), 0);
    if wanted.remove(&root.head.commit) {
        found.insert(root.head.commit, root.commit_bytes);
    }
    let (nodes, records, mut wanted) = if wanted.is_empty() {
        Default::default()
    } else {
        app.actors.search(tree, &client.subject, move |tree| pick(tree, wanted)).await?
    };
    found.extend(nodes);
    // One statement for each record.
    let _turn = if records.is_empty() { None } else { Some(app.actors.list_turn(&client.subject).await?) };
    for (key, cid) in records {
        let path: RepoPath = key.parse().map_err(|error| XrpcError::internal("reading a tree's key", &error))?;
        // A record that was replaced during the search is not part of the repository any more.
        let record = record::get(&app.db, account.id, &path).await?.filter(|record| record.cid == cid);
        let Some(record) = record else {
            wanted.insert(cid);
            continue;
        };
        bytes += record.body.len();
        if bytes > MAX_BYTES {
            return Err(XrpcError::invalid(format!(
                "Params/cids: the blocks have more than {MAX_BYTES} bytes together, ask for fewer at once"
            )));
        }
        found.insert(cid, record.body);
    }
    if !wanted.is_empty() {
        let missing: Vec<String> = wanted.iter().map(Cid::to_string).collect();
        return Err(XrpcError::named("BlockNotFound", format!("Could not find cids: {}", missing.join(","))));
    }
    // The lexicon leaves the roots open. Readers of CAR files expect one: the commit.
    let mut out = BytesMut::from(format::header(&root.head.commit));
    for cid in &params.cids {
        // Once, however often it was asked for.
        if let Some(block) = found.remove(cid) {
            format::append(&mut out, cid, &block);
        }
    }
    Ok(car::answer(out.freeze()))
}

/// The nodes among the wanted blocks, the records among them, and what is neither.
type Picked = (HashMap<Cid, Bytes>, Vec<(Arc<str>, Cid)>, HashSet<Cid>);

fn pick(tree: &Tree, mut wanted: HashSet<Cid>) -> Picked {
    let (mut nodes, mut records) = (HashMap::new(), Vec::new());
    for item in tree.preorder() {
        if wanted.is_empty() {
            break;
        }
        match item {
            Item::Node(cid, block) if wanted.remove(&cid) => {
                nodes.insert(cid, block);
            }
            Item::Record(key, cid) if wanted.remove(&cid) => records.push((key, cid)),
            _ => {}
        }
    }
    (nodes, records, wanted)
}
