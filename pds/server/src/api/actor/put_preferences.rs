use axum::{
    extract::{FromRequest, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use pds_store::{account, preference};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    account::preference::replaced,
    api::proxy::{named_elsewhere, pass_on},
    app::App,
    auth::Access,
    rate_limit::Client,
    xrpc::{Procedure, Result, XrpcError},
};

const METHOD: &str = "app.bsky.actor.putPreferences";

/// Input of `app.bsky.actor.putPreferences`.
#[derive(Debug, Deserialize)]
struct PutPreferencesInput {
    preferences: Vec<Value>,
}

/// `app.bsky.actor.putPreferences`
pub async fn put_preferences(
    State(app): State<App>,
    access: Access,
    client: Client,
    request: Request,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let elsewhere = named_elsewhere(&app, &parts, METHOD).await?;
    let request = Request::from_parts(parts, body);
    if let Some(target) = elsewhere {
        return pass_on(&app, &access, &client, &target, METHOD, request).await;
    }
    let Procedure(input) = Procedure::<PutPreferencesInput>::from_request(request, &app).await?;
    let (id, is_full) = (access.account.id, access.scope.is_full());
    let mut tx = app.db.begin().await?;
    // Whoever writes at the same time waits, and keeps what this session may not change.
    account::lock(&mut tx, id).await?;
    let stored = preference::get(&mut tx, id).await?;
    let value = replaced(stored.as_deref(), input.preferences, is_full)
        .map_err(|error| XrpcError::invalid(error.to_string()))?;
    preference::put(&mut tx, id, &value).await?;
    tx.commit().await?;
    Ok(StatusCode::OK.into_response())
}
