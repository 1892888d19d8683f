use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    api::proxy::{Failure, read},
    app::App,
    auth::Access,
    rate_limit::Client,
    read_after_write::Merge,
};

/// `app.bsky.feed.getTimeline`
pub async fn get_timeline(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response, Failure> {
    read(&app, &access, &client, "app.bsky.feed.getTimeline", Merge::Timeline, request).await
}
