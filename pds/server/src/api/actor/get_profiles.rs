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

/// `app.bsky.actor.getProfiles`
pub async fn get_profiles(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response, Failure> {
    read(&app, &access, &client, "app.bsky.actor.getProfiles", Merge::Profiles, request).await
}
