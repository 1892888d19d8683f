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

/// `app.bsky.actor.getProfile`
pub async fn get_profile(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response, Failure> {
    read(&app, &access, &client, "app.bsky.actor.getProfile", Merge::Profile, request).await
}
