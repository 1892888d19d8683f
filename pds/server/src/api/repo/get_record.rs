use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use pds_repo::Cid;
use pds_store::{account::Status, record};
use pds_syntax::{AtIdentifier, Nsid, RecordKey, RepoPath};
use serde::Deserialize;

use super::write_record;
use crate::{
    api::proxy::{Failure, Target, public},
    app::App,
    rate_limit::Client,
    xrpc::{Query, Text, XrpcError},
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
///
/// The app view is asked for records of repositories that are not here.
pub async fn get_record(
    State(app): State<App>,
    client: Client,
    Query(params): Query<GetRecordParams>,
    request: Request,
) -> Result<Response, Failure> {
    let missing = || {
        let (repo, collection, rkey) = (&params.repo, &params.collection, &params.rkey);
        XrpcError::named("RecordNotFound", format!("Could not locate record: at://{repo}/{collection}/{rkey}"))
    };
    let account = app.accounts.find(&params.repo).await.map_err(XrpcError::from)?;
    if account.is_none()
        && let Some(app_view) = Target::app_view(&app)
    {
        return public(&app, &client, &app_view, "com.atproto.repo.getRecord", request).await;
    }
    let now = app.clock.now_us();
    let account = account.filter(|account| account.status_at(now) == Status::Active).ok_or_else(missing)?;
    let path = RepoPath::new(&params.collection, &params.rkey);
    let found = record::visible(&app.db, account.id, &path).await.map_err(XrpcError::from)?;
    let found = found.filter(|found| params.cid.is_none_or(|wanted| wanted == found.cid)).ok_or_else(missing)?;
    let mut out = Vec::new();
    write_record(&mut out, &account.did, &found)?;
    Ok(Text(out).into_response())
}
