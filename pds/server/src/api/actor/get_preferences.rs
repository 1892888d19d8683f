use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use pds_store::preference;
use serde::Serialize;
use serde_json::Value;

use crate::{
    account::preference::visible,
    api::proxy::{named_elsewhere, pass_on},
    app::App,
    auth::Access,
    rate_limit::Client,
    xrpc::{Output, Result, XrpcError},
};

const METHOD: &str = "app.bsky.actor.getPreferences";

/// Output of `app.bsky.actor.getPreferences`.
#[derive(Debug, Serialize)]
struct Preferences {
    preferences: Vec<Value>,
}

/// `app.bsky.actor.getPreferences`
///
/// Another app view, which the client names, has preferences of its own.
pub async fn get_preferences(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    if let Some(target) = named_elsewhere(&app, &parts, METHOD).await? {
        return pass_on(&app, &access, &client, &target, METHOD, Request::from_parts(parts, body)).await;
    }
    let stored = preference::get(&app.db, access.account.id).await?;
    let preferences = visible(stored.as_deref(), access.scope.is_full(), app.clock.now_us())
        .map_err(|error| XrpcError::internal("reading preferences", &error))?;
    Ok(Output(Preferences { preferences }).into_response())
}
