use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use pds_repo::Cid;
use pds_store::{
    account::Status,
    record::{self, OfRepo},
};
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
    let path = RepoPath::new(&params.collection, &params.rkey);
    let of = record::find(&app.db, &params.repo, &path, app.clock.now_us()).await.map_err(XrpcError::from)?;
    let of = of.filter(|of| of.status.exists());
    if of.is_none()
        && let Some(app_view) = Target::app_view(&app)
    {
        return public(&app, &client, &app_view, "com.atproto.repo.getRecord", request).await;
    }
    let OfRepo { did, found, .. } = of.filter(|of| of.status == Status::Active).ok_or_else(missing)?;
    let found = found.filter(|found| params.cid.is_none_or(|wanted| wanted == found.cid)).ok_or_else(missing)?;
    let mut out = Vec::new();
    write_record(&mut out, &did, &found)?;
    Ok(Text(out).into_response())
}
