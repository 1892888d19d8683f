use axum::extract::State;
use pds_repo::{Cid, record as codec};
use pds_store::{account::Status, record};
use pds_syntax::{AtIdentifier, AtUri, Nsid, RecordKey, RepoPath};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    account,
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.repo.getRecord`.
#[derive(Debug, Deserialize)]
pub struct GetRecordParams {
    repo: AtIdentifier,
    collection: Nsid,
    rkey: RecordKey,
    cid: Option<Cid>,
}

/// Output of `com.atproto.repo.getRecord`.
#[derive(Debug, Serialize)]
pub struct GetRecordOutput {
    uri: AtUri,
    cid: Cid,
    value: Box<RawValue>,
}

/// `com.atproto.repo.getRecord`
pub async fn get_record(
    State(app): State<App>,
    Query(params): Query<GetRecordParams>,
) -> Result<Output<GetRecordOutput>> {
    let missing = || {
        let (repo, collection, rkey) = (&params.repo, &params.collection, &params.rkey);
        XrpcError::named("RecordNotFound", format!("Could not locate record: at://{repo}/{collection}/{rkey}"))
    };
    let account = account::find(&app, &params.repo).await?.filter(|account| account.status() == Status::Active);
    let account = account.ok_or_else(missing)?;
    let found = record::get(&app.db, account.id, &RepoPath::new(&params.collection, &params.rkey)).await?;
    let found = found.filter(|found| params.cid.is_none_or(|wanted| wanted == found.cid)).ok_or_else(missing)?;
    let value = codec::to_json(&found.body).map_err(|error| XrpcError::internal("reading a stored record", &error))?;
    Ok(Output(GetRecordOutput {
        uri: AtUri::record(&account.did, &params.collection, &params.rkey),
        cid: found.cid,
        value,
    }))
}
