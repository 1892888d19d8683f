use axum::{
    extract::{Request, State},
    response::Response,
};
use pds_syntax::{AtUri, Did};
use serde::Deserialize;

use crate::{
    api::proxy::{Failure, ask, json, require_app_view, target, unchanged},
    app::App,
    auth::Access,
    rate_limit::Client,
    xrpc::{Query, XrpcError},
};

const METHOD: &str = "app.bsky.feed.getFeed";
/// The method that the app view calls at the feed generator with the caller's token.
const SKELETON: &str = "app.bsky.feed.getFeedSkeleton";

/// Parameters of `app.bsky.feed.getFeed`.
#[derive(Debug, Deserialize)]
pub struct GetFeedParams {
    feed: AtUri,
}

/// `app.bsky.feed.getFeed`
///
/// The token is for the feed generator, to which the app view hands it on.
pub async fn get_feed(
    State(app): State<App>,
    access: Access,
    client: Client,
    Query(params): Query<GetFeedParams>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let target = target(&app, &parts, METHOD).await?;
    let generator = generator(&app, &access, &client, &params.feed).await?;
    let request = Request::from_parts(parts, body);
    let answer =
        ask(&app, Some(&access.account), &client, &target, SKELETON, Some(generator.as_str()), request).await?;
    Ok(unchanged(&app, &client, answer).await?)
}

/// The DID of the service that makes a feed, from the feed's record.
async fn generator(app: &App, access: &Access, client: &Client, feed: &AtUri) -> Result<Did, Failure> {
    if let Some(known) = app.feed_generators.get(feed.as_str()).await {
        return Ok(known);
    }
    let app_view = require_app_view(app, METHOD)?;
    let params = [
        ("repo", feed.authority()),
        ("collection", feed.collection().unwrap_or_default()),
        ("rkey", feed.rkey().unwrap_or_default()),
    ];
    let account = Some(&*access.account);
    let record = json(app, &app_view, account, client, "com.atproto.repo.getRecord", &params).await?;
    let did = record["value"]["did"].as_str().and_then(|did| did.parse::<Did>().ok());
    let did = did.ok_or_else(|| XrpcError::named("UnknownFeed", "could not resolve feed did"))?;
    app.feed_generators.insert(feed.as_str().to_owned(), did.clone()).await;
    Ok(did)
}
