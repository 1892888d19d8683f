use axum::{body::Body, extract::State, response::Response};
use pds_syntax::{Did, Tid};
use serde::Deserialize;

use crate::api::car;
use crate::{
    actor::export,
    api::synced,
    app::App,
    auth::Viewer,
    rate_limit::Client,
    xrpc::{Query, Result, XrpcError},
};

/// Parameters of `com.atproto.sync.getRepo`.
#[derive(Debug, Deserialize)]
pub struct GetRepoParams {
    did: Did,
    since: Option<Tid>,
}

/// `com.atproto.sync.getRepo`
pub async fn get_repo(
    State(app): State<App>,
    viewer: Viewer,
    client: Client,
    Query(params): Query<GetRepoParams>,
) -> Result<Response> {
    let account = synced(&app, &params.did, &viewer).await?;
    // A revision that is not valid counts as none: the whole repository is exported.
    let since = params.since;
    let stream = app.actors.export(&account, since, &client.subject).await.map_err(|error| match error {
        export::Error::Busy => XrpcError::unavailable("Too many exports are running, try again", 5),
        export::Error::Load(error) => error.into(),
    })?;
    Ok(car::answer(Body::from_stream(stream)))
}
