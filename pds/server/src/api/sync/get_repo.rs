use axum::{body::Body, extract::State, response::Response};
use pds_syntax::{Did, Tid};
use serde::Deserialize;

use crate::api::car;
use crate::{
    actor::export as exports,
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
    // A revision that is not valid counts as none: the whole repository is exported.
    export(&app, &viewer, &client, &params.did, params.since).await
}

/// Parameters of `com.atproto.sync.getCheckout`.
#[derive(Debug, Deserialize)]
pub struct GetCheckoutParams {
    did: Did,
}

/// `com.atproto.sync.getCheckout`, which the protocol replaces by `getRepo`.
pub async fn get_checkout(
    State(app): State<App>,
    viewer: Viewer,
    client: Client,
    Query(params): Query<GetCheckoutParams>,
) -> Result<Response> {
    export(&app, &viewer, &client, &params.did, None).await
}

async fn export(app: &App, viewer: &Viewer, client: &Client, did: &Did, since: Option<Tid>) -> Result<Response> {
    let account = synced(app, did, viewer).await?;
    let stream = app.actors.export(&account, since, &client.subject).await.map_err(|error| match error {
        exports::Error::Busy => XrpcError::unavailable("Too many exports are running, try again", 5),
        exports::Error::Load(error) => error.into(),
    })?;
    Ok(car::answer(Body::from_stream(stream)))
}
