use axum::extract::State;
use pds_store::{
    account::Status,
    record::{self, Page},
};
use pds_syntax::{AtIdentifier, Nsid, RecordKey};
use serde::Deserialize;
use tokio::task::yield_now;

use super::write_record;
use crate::{
    api::no_repo,
    app::App,
    rate_limit::Client,
    xrpc::{Query, Result, Text, XrpcError},
};

/// Parameters of `com.atproto.repo.listRecords`.
#[derive(Debug, Deserialize)]
pub struct ListRecordsParams {
    repo: AtIdentifier,
    collection: Nsid,
    limit: u32,
    cursor: Option<String>,
    reverse: Option<bool>,
}

/// Bytes of JSON around a record, about.
const ENVELOPE: usize = 256;
/// Bytes of JSON that are written before other requests have their turn.
const PIECE: usize = 64 << 10;

/// `com.atproto.repo.listRecords`
///
/// Newest keys first, or oldest first with `reverse`. The cursor is the last key.
pub async fn list_records(
    State(app): State<App>,
    client: Client,
    Query(params): Query<ListRecordsParams>,
) -> Result<Text> {
    let cursor = params.cursor.as_deref().map(str::parse::<RecordKey>).transpose();
    let cursor = cursor.map_err(|error| XrpcError::invalid(format!("Params/cursor: {error}")))?;
    let page = Page { cursor: cursor.as_ref(), limit: params.limit, ascending: params.reverse.unwrap_or(false) };
    let turn = app.actors.list_turn(&client.subject).await?;
    let of = record::list(&app.db, &params.repo, &params.collection, page, app.clock.now_us()).await?;
    let of = of.filter(|of| of.status == Status::Active).ok_or_else(|| no_repo(&params.repo))?;
    let (did, found) = (of.did, of.found);
    // JSON is about one and a half times as long as DAG-CBOR.
    let room: usize = found.iter().map(|record| record.body.len() / 2 * 3 + ENVELOPE).sum();
    let mut out = Vec::with_capacity(room + ENVELOPE);
    out.extend_from_slice(br#"{"records":["#);
    let mut piece = PIECE;
    for (at, record) in found.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if out.len() > piece {
            piece = out.len() + PIECE;
            yield_now().await;
        }
        write_record(&mut out, &did, record)?;
    }
    out.push(b']');
    if let Some(last) = found.last() {
        // A key has no character that JSON would escape.
        out.extend_from_slice(format!(r#","cursor":"{}""#, last.path.rkey()).as_bytes());
    }
    out.push(b'}');
    // The page counts among the answers that wait for their readers from now on.
    drop(turn);
    Ok(Text(out))
}
