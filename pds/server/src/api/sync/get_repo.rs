use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use pds_repo::{
    Cid, car as format,
    mst::{Item, Tree},
};
use pds_store::{AccountId, Snapshot, record, repo};
use pds_syntax::{Did, Tid};
use serde::Deserialize;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::car;
use crate::{
    api::synced,
    app::App,
    auth::Viewer,
    xrpc::{Query, Result, XrpcError},
};

/// Bytes handed over at once.
const CHUNK: usize = 64 * 1024;
/// A reader that takes nothing for so long is gone: the snapshot would hold back the database.
const STALL: Duration = Duration::from_secs(30);
/// The longest a snapshot is kept open.
const LIMIT: Duration = Duration::from_secs(600);

/// Parameters of `com.atproto.sync.getRepo`.
#[derive(Debug, Deserialize)]
pub struct GetRepoParams {
    did: Did,
    since: Option<String>,
}

/// `com.atproto.sync.getRepo`
///
/// One snapshot, streamed: the commit, then the tree depth first with each record right behind its entry. With `since`, the
/// records written after that revision and the nodes above them.
pub async fn get_repo(State(app): State<App>, viewer: Viewer, Query(params): Query<GetRepoParams>) -> Result<Response> {
    let account = synced(&app, &params.did, &viewer).await?;
    let missing = || XrpcError::named("RepoNotFound", format!("Could not find repo for DID: {}", params.did));
    // A revision that cannot be read is as good as none: the whole repository.
    let since = params.since.as_deref().and_then(|text| text.parse::<Tid>().ok());
    let mut snapshot = app.db.snapshot().await?;
    let root = repo::root(&mut snapshot, account.id).await?.ok_or_else(missing)?;
    let since = since.filter(|since| *since <= root.head.rev);
    let (sender, receiver) = mpsc::channel(2);
    let export = Export {
        id: account.id,
        commit: root.head.commit,
        data: root.head.data,
        commit_bytes: root.commit_bytes,
        since,
    };
    let did = params.did;
    tokio::spawn(async move {
        let result =
            timeout(LIMIT, export.run(&mut snapshot, Out { sender: sender.clone(), chunk: BytesMut::new() })).await;
        let failed = match result {
            Ok(Ok(())) => return,
            Ok(Err(Stopped::Reader)) => {
                return tracing::info!(repo.did = %did, "the reader of an export of {did} went away");
            }
            Ok(Err(Stopped::Failed(reason))) => reason,
            Err(_) => "it took too long".to_owned(),
        };
        tracing::warn!(repo.did = %did, "an export of {did} broke off: {failed}");
        // The answer must not look complete.
        let _ = sender.send(Err(std::io::Error::other(failed))).await;
    });
    Ok(car::answer(Body::from_stream(ReceiverStream::new(receiver))))
}

enum Stopped {
    Reader,
    Failed(String),
}

impl From<pds_store::Error> for Stopped {
    fn from(error: pds_store::Error) -> Self {
        Self::Failed(crate::report::chain(&error))
    }
}

struct Out {
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    chunk: BytesMut,
}

impl Out {
    async fn block(&mut self, cid: &Cid, block: &[u8]) -> Result<(), Stopped> {
        format::append(&mut self.chunk, cid, block);
        if self.chunk.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        let chunk = self.chunk.split().freeze();
        match timeout(STALL, self.sender.send(Ok(chunk))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Stopped::Reader),
        }
    }
}

struct Export {
    id: AccountId,
    commit: Cid,
    data: Cid,
    commit_bytes: Bytes,
    since: Option<Tid>,
}

impl Export {
    async fn run(self, snapshot: &mut Snapshot, mut out: Out) -> Result<(), Stopped> {
        let tree = self.tree(snapshot).await?;
        out.chunk.extend_from_slice(&format::header(&self.commit));
        out.block(&self.commit, &self.commit_bytes).await?;
        match self.since {
            None => self.whole(snapshot, &tree, &mut out).await?,
            Some(since) => self.changed(snapshot, &tree, since, &mut out).await?,
        }
        out.flush().await
    }

    async fn tree(&self, snapshot: &mut Snapshot) -> Result<Tree, Stopped> {
        let mut entries = Vec::new();
        let mut rows = Box::pin(record::entries(snapshot, self.id));
        while let Some(row) = rows.next().await {
            let (path, cid) = row?;
            entries.push((Arc::<str>::from(path.as_str()), cid));
        }
        let tree = Tree::from_sorted(entries);
        if tree.root() == self.data {
            Ok(tree)
        } else {
            Err(Stopped::Failed("the records do not make the signed root".to_owned()))
        }
    }

    /// The tree and the rows are in the same order, so they are read side by side and nothing piles up.
    async fn whole(&self, snapshot: &mut Snapshot, tree: &Tree, out: &mut Out) -> Result<(), Stopped> {
        let mut rows = Box::pin(record::stream(snapshot, self.id, None));
        for item in tree.preorder() {
            match item {
                Item::Node(cid, block) => out.block(&cid, &block).await?,
                Item::Record(key, cid) => {
                    let row =
                        rows.next().await.ok_or_else(|| Stopped::Failed(format!("record {key} is missing")))??;
                    if row.cid != cid || row.path.as_str() != &*key {
                        return Err(Stopped::Failed(format!("record {key} is not the one in the tree")));
                    }
                    out.block(&cid, &row.body).await?;
                }
            }
        }
        Ok(())
    }

    async fn changed(&self, snapshot: &mut Snapshot, tree: &Tree, since: Tid, out: &mut Out) -> Result<(), Stopped> {
        let broken = |error: pds_repo::mst::Error| Stopped::Failed(error.to_string());
        let mut sent = HashMap::new();
        // The root goes along even if nothing changed, so that the commit can be checked.
        for (cid, block) in tree.proof("", false).map_err(broken)?.into_iter().take(1) {
            sent.insert(cid, ());
            out.block(&cid, &block).await?;
        }
        let mut rows = Box::pin(record::stream(snapshot, self.id, Some(since)));
        while let Some(row) = rows.next().await {
            let row = row?;
            for (cid, block) in tree.proof(row.path.as_str(), false).map_err(broken)? {
                if sent.insert(cid, ()).is_none() {
                    out.block(&cid, &block).await?;
                }
            }
            out.block(&row.cid, &row.body).await?;
        }
        Ok(())
    }
}
