use axum::extract::State;
use pds_repo::{Cid, record as codec};
use pds_store::record::{self, Page};
use pds_syntax::{AtIdentifier, Nsid, RecordKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::uri;
use crate::{
    api::readable,
    app::App,
    xrpc::{Output, Query, Result, XrpcError, flag, number},
};

/// Parameters of `com.atproto.repo.listRecords`.
#[derive(Debug, Deserialize)]
pub struct ListRecordsParams {
    repo: AtIdentifier,
    collection: Nsid,
    #[serde(default, deserialize_with = "number")]
    limit: Option<u32>,
    cursor: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    reverse: Option<bool>,
}

/// Output of `com.atproto.repo.listRecords`.
#[derive(Debug, Serialize)]
pub struct ListRecordsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    records: Vec<Listed>,
}

/// One record.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    uri: String,
    cid: Cid,
    value: Box<RawValue>,
}

/// `com.atproto.repo.listRecords`
///
/// Newest keys first; `reverse` turns that round. The cursor is the last key.
pub async fn list_records(
    State(app): State<App>,
    Query(params): Query<ListRecordsParams>,
) -> Result<Output<ListRecordsOutput>> {
    let limit = params.limit.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(XrpcError::invalid("Params/limit must be between 1 and 100"));
    }
    let account = readable(&app, &params.repo).await?;
    let cursor = params.cursor.as_deref().map(str::parse::<RecordKey>).transpose();
    let cursor = cursor.map_err(|error| XrpcError::invalid(format!("Params/cursor: {error}")))?;
    let page = Page { cursor: cursor.as_ref(), limit, ascending: params.reverse.unwrap_or(false) };
    let found = record::list(&app.db, account.id, &params.collection, page).await?;
    let cursor = found.last().map(|last| last.path.rkey().to_owned());
    let mut records = Vec::with_capacity(found.len());
    for record in found {
        let value =
            codec::to_json(&record.body).map_err(|error| XrpcError::internal("reading a stored record", &error))?;
        records.push(Listed { uri: uri(&account.did, &record.path), cid: record.cid, value });
    }
    Ok(Output(ListRecordsOutput { cursor, records }))
}
