use axum::extract::State;
use pds_repo::Cid;
use pds_store::{account::Status, record};
use pds_syntax::{AtIdentifier, Nsid, RecordKey, RepoPath};
use serde::Deserialize;

use super::write_record;
use crate::{
    app::App,
    xrpc::{Query, Result, Text, XrpcError},
};

/// Parameters of `com.atproto.repo.getRecord`.
#[derive(Debug, Deserialize)]
pub struct GetRecordParams {
    repo: AtIdentifier,
    collection: Nsid,
    rkey: RecordKey,
    cid: Option<Cid>,
}

/// `com.atproto.repo.getRecord`
pub async fn get_record(State(app): State<App>, Query(params): Query<GetRecordParams>) -> Result<Text> {
    let missing = || {
        let (repo, collection, rkey) = (&params.repo, &params.collection, &params.rkey);
        XrpcError::named("RecordNotFound", format!("Could not locate record: at://{repo}/{collection}/{rkey}"))
    };
    let account = app.accounts.find(&params.repo).await?.filter(|account| account.status() == Status::Active);
    let account = account.ok_or_else(missing)?;
    let found = record::visible(&app.db, account.id, &RepoPath::new(&params.collection, &params.rkey)).await?;
    let found = found.filter(|found| params.cid.is_none_or(|wanted| wanted == found.cid)).ok_or_else(missing)?;
    let mut out = Vec::new();
    write_record(&mut out, &account.did, &found)?;
    Ok(Text(out))
}
